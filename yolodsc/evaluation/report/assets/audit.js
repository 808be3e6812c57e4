"use strict";
/* The audit: a card for each suspicious label, cut out around it. */

const FAULT_COLORS = { missing: "var(--background)", misplaced: "var(--localisation)", mislabelled: "var(--duplicate)", unsupported: "var(--missed)" };
const FAULT_TEXTS = {
  missing: "The network finds an object where there is no label.",
  misplaced: "The network finds the object of the label at another position.",
  mislabelled: "The network finds another class at the position of the label.",
  unsupported: "The network finds nothing at the label, although it finds most labels of this size.",
};

function auditSection() {
  const used = [...new Set(data.suspects.flatMap((one) => [one.label, one.detection].filter(Boolean).map((box) => box.class)))];
  const state = {};
  const redraw = () => state.draw();
  const [faultBox, faultSelect] = picker("fault", [["", "all faults"], ...data.faults.map((fault) => [fault, fault])], redraw);
  const [classBox, classSelect] = picker("class", [["", "all classes"], ...used.sort((a, b) => className(a).localeCompare(className(b))).map((c) => [c, className(c)])], redraw);
  const [scoreBox, scoreInput] = slider("suspicion above", 0, redraw);
  const search = el("input", { type: "search", placeholder: "image name", oninput: redraw, "aria-label": "image name" });
  const count = el("span", { class: "count", "aria-live": "polite" });
  const container = el("div", { class: "cards" }), more = el("button", { type: "button", class: "plain more" });
  Object.assign(faultSelect, { id: "filter-kind" });
  Object.assign(classSelect, { id: "filter-class" });
  Object.assign(scoreInput, { id: "filter-score" });
  Object.assign(search, { id: "filter-name" });
  const fillCards = paged(container, more, 24);
  state.draw = () => {
    const text = search.value.toLowerCase(), index = classSelect.value === "" ? null : +classSelect.value;
    const kept = data.suspects.filter((one) => (!faultSelect.value || one.fault === faultSelect.value) && one.suspicion >= +scoreInput.value &&
      data.images[one.entry].id.toLowerCase().includes(text) && (index === null || one.label?.class === index || one.detection?.class === index));
    count.textContent = `${number(kept.length)} of ${number(data.suspects.length)} suspects`;
    fillCards(kept, suspectCard);
  };
  const counts = data.faults.map((fault) => [fault, data.suspects.filter((one) => one.fault === fault).length]);
  section("suspects", "Suspects", `${number(data.labels)} labels of ${number(data.all_images)} images, and the detections that no label explains, ranked: the first ${number(data.suspects.length)} of ${number(data.of)}. The table in CSV has all of them.`,
    el("div", { class: "figures" }, counts.map(([fault, found]) => tipped(el("div", { class: "figure" }, el("b", { text: number(found), style: `color:${FAULT_COLORS[fault]}` }), el("span", { text: fault })), FAULT_TEXTS[fault]))),
    el("p"),
    el("div", { class: "panel filters" }, faultBox, classBox, scoreBox, el("label", {}, "name", search), count),
    legend([["label", "var(--difficult)", true], ...Object.entries(FAULT_COLORS).slice(0, 3).map(([fault, stroke]) => [`detection: ${fault}`, stroke]), ["label: unsupported", FAULT_COLORS.unsupported, true]]),
    container, more);
  state.draw();
}

function suspectCard(one) {
  const image = data.images[one.entry], boxes = [];
  const stroke = FAULT_COLORS[one.fault];
  if (one.label) boxes.push({ box: one.label.box, dashed: true, color: one.fault === "unsupported" ? stroke : "var(--difficult)", label: className(one.label.class) });
  if (one.detection) boxes.push({ box: one.detection.box, color: stroke, label: `${className(one.detection.class)} ${score(one.detection.score)}` });
  const text = { missing: "no label", misplaced: `${one.label && className(one.label.class)} elsewhere`, mislabelled: `${one.label && className(one.label.class)} looks like ${one.detection && className(one.detection.class)}`, unsupported: `no ${one.label && className(one.label.class)} found` }[one.fault];
  const open = () => view(image, boxes, `${one.rank}. ${image.id}`, [[FAULT_TEXTS[one.fault], boxes.map((box) => ({ color: box.color, text: `${box.dashed ? "label" : "detection"}: ${box.label}` }))]]);
  return el("button", { type: "button", class: "card", onclick: open }, overlay(image, boxes, { window: around(boxes.map((box) => box.box), image) }),
    el("span", { class: "caption" }, el("b", {}, el("span", { class: "badge", style: `background:${stroke};display:inline-block;color:#fff`, text: one.fault }), `${one.rank}. ${image.id}`), el("span", { text: `${text}, suspicion ${score(one.suspicion)}` })));
}
