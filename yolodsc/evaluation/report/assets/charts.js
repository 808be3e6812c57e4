"use strict";
/* Charts as SVG: curves, bars, the confusion matrix, intervals. */

/* Axes from 0 to 1 in a box of w x h; returns the SVG and functions to pixels. */
function plot(w, h, { x, y, name, ticks = [0, 0.25, 0.5, 0.75, 1] }) {
  const left = 40, right = 10, top = name ? 24 : 10, bottom = x ? 36 : 22;
  const px = (value) => left + value * (w - left - right);
  const py = (value) => h - bottom - value * (h - top - bottom);
  const root = svg("svg", { viewBox: `0 0 ${w} ${h}`, role: "img", "aria-label": name || y, width: "100%" });
  for (const tick of ticks) {
    root.append(
      svg("line", { class: "axis", x1: px(0), x2: px(1), y1: py(tick), y2: py(tick) }),
      svg("text", { x: left - 6, y: py(tick) + 4, "text-anchor": "end", text: tick }),
      svg("text", { x: px(tick), y: h - bottom + 15, "text-anchor": "middle", text: tick }),
    );
  }
  if (name) root.append(svg("text", { class: "name", x: left, y: 14, text: name }));
  if (x) root.append(svg("text", { x: px(0.5), y: h - 4, "text-anchor": "middle", text: x }));
  if (y) root.append(svg("text", { x: 11, y: py(0.5), "text-anchor": "middle", transform: `rotate(-90 11 ${py(0.5)})`, text: y }));
  return { root, px, py };
}

const path = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

/* Precision over recall of one class: its area filled. */
function prCurve(entry, w = 240, h = 190) {
  const { root, px, py } = plot(w, h, { name: `${entry.name} ${percent(entry.ap, 1)}`, ticks: [0, 0.5, 1] });
  const { recall, precision } = entry.curve;
  if (recall && recall.length) {
    const points = recall.map((r, i) => [px(r), py(precision[i])]);
    root.append(
      svg("path", { d: `${path([[px(0), py(0)], [px(0), points[0][1]], ...points, [points.at(-1)[0], py(0)]])}Z`, fill: "var(--accent)", opacity: 0.14 }),
      svg("path", { d: path(points), fill: "none", stroke: "var(--accent)", "stroke-width": 1.8 }),
    );
  }
  return tipped(root, `${entry.name}: AP ${percent(entry.ap)} %, best F1 ${percent(entry.best_f1)} % at score ${entry.best_f1_score.toFixed(3)}`);
}

/* Precision, recall and F1 of all classes over the score threshold, as totals. */
function thresholdCurves(classes, thresh) {
  const { root, px, py } = plot(560, 330, { x: "score threshold", y: "share" });
  const positives = classes.reduce((sum, entry) => sum + entry.positives, 0);
  const at = Array.from({ length: 101 }, (_, i) => i / 100);
  const lines = at.map((t) => {
    let right = 0, given = 0;
    for (const { curve, positives: count } of classes) {
      const last = curve.score ? curve.score.findLastIndex((s) => s >= t) : -1;
      if (last < 0 || !curve.precision[last]) continue;
      right += curve.recall[last] * count;
      given += (curve.recall[last] * count) / curve.precision[last];
    }
    const recall = positives ? right / positives : 0;
    const precision = given ? right / given : null;
    return { t, recall, precision, f1: precision && recall ? (2 * precision * recall) / (precision + recall) : 0 };
  });
  const drawn = { precision: "var(--accent)", recall: "var(--localisation)", f1: "var(--right)" };
  root.append(svg("line", { x1: px(thresh), x2: px(thresh), y1: py(0), y2: py(1), stroke: "var(--soft)", "stroke-dasharray": "4 4" }));
  for (const [key, stroke] of Object.entries(drawn)) {
    const points = lines.filter((line) => line[key] !== null).map((line) => [px(line.t), py(line[key])]);
    root.append(svg("path", { d: path(points), fill: "none", stroke, "stroke-width": 2.2 }));
  }
  const legend = el("p", { class: "legend" }, Object.entries(drawn).map(([key, stroke]) =>
    el("span", {}, el("i", { style: `border-color:${stroke};background:${stroke}` }), key === "f1" ? "F1" : key)));
  return el("div", {}, legend, root);
}

/* Precision in each bin of scores; the diagonal is perfect calibration. */
function reliability({ bins, thresh }) {
  const { root, px, py } = plot(560, 330, { x: "score", y: "precision" });
  const largest = Math.max(...bins.map((bin) => bin.count), 1);
  bins.forEach((bin, i) => {
    if (!bin.count) return;
    const low = i / bins.length, width = px(1 / bins.length) - px(0);
    const bar = svg("rect", {
      x: px(low) + 1, y: py(bin.precision), width: width - 2, height: py(0) - py(bin.precision), rx: 2,
      fill: "var(--accent)", opacity: low + 1e-9 >= thresh ? 0.3 + 0.7 * Math.sqrt(bin.count / largest) : 0.2,
    });
    root.append(tipped(bar, `score ${low.toFixed(2)} to ${(low + 1 / bins.length).toFixed(2)}: ${number(bin.count)} detections, ${percent(bin.precision, 1)} % right`));
  });
  root.append(svg("line", { x1: px(0), y1: py(0), x2: px(1), y2: py(1), stroke: "var(--soft)", "stroke-dasharray": "5 4" }));
  return root;
}

/* Rows of objects, columns of detections, coloured by the share of the row. */
function confusionMatrix({ names, matrix }, onpick) {
  const columns = [...names, "missed"], rows = [...names, "background"];
  const head = el("tr", {}, el("th"), columns.map((name) => el("th", { class: "column", scope: "col" }, el("span", { text: name }))));
  const lines = matrix.map((counts, r) => {
    const total = Math.max(counts.reduce((sum, count) => sum + count, 0), 1);
    return el("tr", {}, el("th", { class: "row", scope: "row", text: rows[r] }), counts.map((count, c) => {
      const share = count / total, hue = r === c ? "var(--right)" : "var(--background)";
      const style = count ? `background:color-mix(in srgb, ${hue} ${Math.round(12 + 78 * share)}%, var(--card));${share > 0.55 ? "color:#fff" : ""}` : "";
      const box = el("td", { style, text: count || "" });
      if (count) tipped(box, `${rows[r]} detected as ${columns[c]}: ${number(count)} of ${number(total)}`);
      if (count && onpick) box.addEventListener("click", () => onpick(rows[r], columns[c]));
      return box;
    }));
  });
  return el("table", { class: "matrix" }, el("thead", {}, head), el("tbody", {}, lines));
}

/* What each kind of error costs. */
function errorBars({ costs, counts }) {
  const largest = Math.max(...Object.values(costs), 1e-9);
  return table([
    { title: "error", value: (row) => row, show: (row) => el("span", {}, el("span", { class: "badge", style: `background:${color(row)}`, text: row })) },
    { title: "AP lost", value: (row) => costs[row], show: (row) => el("span", {}, percent(costs[row]),
      el("span", { class: "track" }, el("span", { class: "bargraph", style: `width:${(5 * costs[row]) / largest}rem;background:${color(row)}` }))) },
    { title: "count", value: (row) => counts[row], show: (row) => number(counts[row]) },
  ], Object.keys(costs));
}

/* Two runs: a dot for each, and the interval of the difference. */
function comparisonTable(found) {
  const signed = (value) => (value === null ? "–" : `${value >= 0 ? "+" : "−"}${Math.abs(100 * value).toFixed(2)}`);
  const known = found.rows.filter((row) => row.a !== null && row.b !== null);
  const reach = Math.max(0.01, ...known.map((row) => Math.max(Math.abs(row.low ?? 0), Math.abs(row.high ?? 0), Math.abs(row.difference))));
  const interval = (row) => {
    if (row.low === null) return "";
    const x = (value) => 90 + (value / reach) * 82;
    const certain = row.low > 0 || row.high < 0, stroke = !certain ? "var(--soft)" : row.low > 0 ? "var(--right)" : "var(--background)";
    return svg("svg", { viewBox: "0 0 180 18", width: 180, height: 18 },
      svg("line", { class: "axis", x1: 90, x2: 90, y1: 0, y2: 18 }),
      svg("line", { x1: x(row.low), x2: x(row.high), y1: 9, y2: 9, stroke, "stroke-width": 4, "stroke-linecap": "round", opacity: 0.55 }),
      svg("circle", { cx: x(row.difference), cy: 9, r: 4.5, fill: stroke }));
  };
  const mark = (row) => el("span", { class: row.low > 0 ? "plus" : row.high < 0 ? "minus" : "", text: signed(row.difference) });
  return table([
    { title: "class", value: (row) => row.name, show: (row) => row.name || "mean" },
    { title: found.a, value: (row) => row.a, show: (row) => percent(row.a) },
    { title: found.b, value: (row) => row.b, show: (row) => percent(row.b) },
    { title: "difference", value: (row) => row.difference, show: mark },
    { title: "95 % interval", value: (row) => row.low, show: (row) => (row.low === null ? "–" : `${signed(row.low)} … ${signed(row.high)}`) },
    { title: `± ${(100 * reach).toFixed(0)} points`, value: (row) => row.difference, show: interval },
  ], found.rows);
}
