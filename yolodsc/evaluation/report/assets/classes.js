"use strict";
/* The sections about numbers. */

function verdictSection() {
  const v = data.verdict;
  const figure = (value, label, first) => el("div", { class: `figure${first ? " first" : ""}` }, el("b", { text: value }), el("span", { text: label }));
  section("verdict", "Verdict", `${v.program}. ${number(v.images)} images, ${number(v.objects)} objects${v.difficult ? ` and ${number(v.difficult)} difficult or crowd` : ""}, ${number(v.detections)} detections. TP, FP, FN, precision, recall and F1 count detections with a score above ${data.thresh}.`,
    el("div", { class: "figures" },
      figure(`${percent(v.mean_ap)} %`, `mean AP, ${v.rule}`, true),
      figure(`${percent(v.precision, 1)} %`, "precision"), figure(`${percent(v.recall, 1)} %`, "recall"), figure(`${percent(v.f1, 1)} %`, "F1"),
      figure(number(v.tp), "true positives"), figure(number(v.fp), "false positives"), figure(number(v.fn), "false negatives")),
    el("p"),
    el("div", { class: "panel" }, table([
      { title: "rule", value: (row) => row.name, show: (row) => row.name },
      { title: "mean AP", value: (row) => row.mean_ap, show: (row) => percent(row.mean_ap) },
      { title: "program", left: true, value: (row) => row.program, show: (row) => row.program },
      { title: "further figures", left: true, value: () => 0, show: (row) => Object.entries(row.figures).slice(0, 6).map(([key, value]) => `${key} ${percent(value)}`).join(", ") },
    ], data.rules)));
}

function classesSection() {
  const absent = data.absent.length ? ` No objects of ${data.absent.slice(0, 12).join(", ")}${data.absent.length > 12 ? ` and ${data.absent.length - 12} more` : ""}.` : "";
  section("classes", "Classes", `By ${data.verdict.rule}, score above ${data.thresh}. A click on a heading sorts.${absent}`, el("div", { class: "panel" }, table([
    { title: "class", value: (row) => row.name, show: (row) => row.name },
    { title: "AP", value: (row) => row.ap, show: (row) => el("span", {}, percent(row.ap), el("span", { class: "track" }, el("span", { class: "bargraph", style: `width:${5 * (row.ap || 0)}rem` }))) },
    { title: "objects", value: (row) => row.positives, show: (row) => number(row.positives) },
    { title: "TP", value: (row) => row.tp, show: (row) => number(row.tp) },
    { title: "FP", value: (row) => row.fp, show: (row) => number(row.fp) },
    { title: "precision", value: (row) => row.precision, show: (row) => percent(row.precision) },
    { title: "recall", value: (row) => row.recall, show: (row) => percent(row.recall) },
    { title: "best F1", value: (row) => row.best_f1, show: (row) => percent(row.best_f1) },
    { title: "at score", value: (row) => row.best_f1_score, show: (row) => row.best_f1_score.toFixed(3) },
    ...data.rules.slice(1).map(({ name }) => ({ title: name, value: (row) => row.aps[name], show: (row) => percent(row.aps[name]) })),
  ], data.classes)));
}

function curvesSection() {
  section("curves", "Curves", "Precision over recall of each class; precision, recall and F1 of all classes together over the threshold.",
    el("div", { class: "columns" },
      el("div", { class: "panel" }, thresholdCurves(data.classes, data.thresh)),
      el("div", { class: "panel" }, el("p", { class: "legend", text: calibrationText() }), reliability(data.calibration))),
    el("p"),
    el("div", { class: "panel small" }, data.classes.map((entry) => el("div", {}, prCurve(entry)))));
}

function calibrationText() {
  const found = data.calibration;
  if (found.ece === null) return "Calibration: no detections above the threshold.";
  return `Expected calibration error ${percent(found.ece)} % above score ${found.thresh}: mean score ${percent(found.score)} %, precision ${percent(found.precision)} %.`;
}

function errorsSection(onpick) {
  section("errors", "Errors", "What mending one kind of error would gain (TIDE), and which classes are taken for which. Rows: ground truth, columns: detections; a click on a number shows its images.",
    el("div", { class: "pair" }, el("div", { class: "panel fit" }, errorBars(data.errors)), el("div", { class: "panel fit" }, confusionMatrix(data.confusion, onpick))));
}

function comparisonSection() {
  const found = data.comparison;
  section("comparison", "Comparison", `AP by ${found.rule} of ${found.a} and ${found.b} on the same ${number(found.images)} images. Intervals hold 95 % of ${number(found.draws)} draws of the images; coloured ones exclude 0.`,
    el("div", { class: "panel" }, comparisonTable(found)));
}

function notesSection() {
  section("notes", "Notes", null, el("div", { class: "panel" }, el("ul", { class: "notes" }, data.notes.map((text) => el("li", { text })))));
}
