"use strict";
/* The gallery: filters by class, score, kind of error and name, and cards. */

function gallerySection() {
  const labelled = data.kind === "evaluation";
  const used = new Set(data.images.flatMap((image) => [...image.detections, ...(image.objects || [])].map((box) => box.class)));
  const names = [...used].sort((a, b) => className(a).localeCompare(className(b)));
  const kinds = [["", "all images"], ["errors", "any error"], ...[...KINDS.slice(1, 6), "missed", "right"].map((kind) => [kind, kind])];
  const state = {};
  const redraw = () => state.draw();
  const [classBox, classSelect] = picker("class", [["", "all classes"], ...names.map((c) => [c, className(c)])], redraw);
  const [kindBox, kindSelect] = picker("kind of error", kinds, redraw);
  const [sortBox, sortSelect] = picker("order", [["errors", "most errors first"], ["name", "by name"], ["score", "highest score first"]], redraw);
  const [scoreBox, scoreInput] = slider("score above", data.thresh, redraw);
  const search = el("input", { type: "search", placeholder: "image name", oninput: redraw, "aria-label": "image name" });
  const count = el("span", { class: "count", "aria-live": "polite" });
  const container = el("div", { class: "cards" }), more = el("button", { type: "button", class: "plain more" });
  Object.assign(classSelect, { id: "filter-class" });
  Object.assign(kindSelect, { id: "filter-kind" });
  Object.assign(scoreInput, { id: "filter-score" });
  Object.assign(search, { id: "filter-name" });
  const fillCards = paged(container, more, 24);

  state.draw = () => {
    const filter = { kind: kindSelect.value, class: classSelect.value === "" ? null : +classSelect.value, score: +scoreInput.value };
    const text = search.value.toLowerCase();
    const kept = data.images.map((image) => ({ image, boxes: boxesOf(image, filter, labelled) }))
      .filter(({ image, boxes }) => image.id.toLowerCase().includes(text) && (boxes.some((box) => box.hit) || !(filter.kind || filter.class !== null)));
    if (sortSelect.value === "name") kept.sort((a, b) => a.image.id.localeCompare(b.image.id));
    if (sortSelect.value === "score") kept.sort((a, b) => best(b.boxes) - best(a.boxes));
    count.textContent = `${number(kept.length)} of ${number(data.of)} images`;
    fillCards(kept, ({ image, boxes }) => card(image, boxes, labelled));
  };
  const fewer = data.images.length < data.of ? ` The page holds ${number(data.images.length)} of ${number(data.of)} images${labelled ? ", those with most errors" : ""}.` : "";
  const colours = labelled ? legend([...KINDS.map((kind) => [kind, color(kind)]), ["object, found", "var(--right)", true], ["object, missed", "var(--missed)", true], ["difficult object", "var(--difficult)", true]]) : null;
  section("gallery", "Images", `A click enlarges an image.${fewer}`,
    el("div", { class: "panel filters" }, classBox, labelled ? kindBox : null, scoreBox, labelled ? sortBox : null, el("label", {}, "name", search), count), colours, container, more);
  state.draw();
  return (kind, index) => { kindSelect.value = kind; classSelect.value = index === null ? "" : index; state.draw(); document.getElementById("gallery").scrollIntoView(); };
}

const best = (boxes) => Math.max(0, ...boxes.map((box) => box.score || 0));

/* What is drawn on an image at this threshold, and what of it fits the filter. */
function boxesOf(image, filter, labelled) {
  const boxes = [];
  const fits = (kind, index) => (filter.class === null || index === filter.class) &&
    (filter.kind === "" || filter.kind === kind || (filter.kind === "errors" && !["right", "ignored", "difficult"].includes(kind)));
  for (const object of image.objects || []) {
    const kind = object.difficult ? "difficult" : object.found > filter.score ? "found" : "missed";
    boxes.push({ box: object.box, dashed: true, kind, class: object.class, hit: kind === "missed" && fits("missed", object.class),
      color: kind === "found" ? "var(--right)" : color(kind), label: kind === "missed" ? className(object.class) : null });
  }
  for (const found of image.detections) {
    if (found.score <= filter.score) continue;
    boxes.push({ box: found.box, kind: found.kind, class: found.class, score: found.score, hit: fits(found.kind, found.class),
      color: labelled ? color(found.kind) : classColor(found.class), label: `${className(found.class)} ${score(found.score)}` });
  }
  return boxes;
}

function card(image, boxes, labelled) {
  const found = boxes.filter((box) => !box.dashed), missed = boxes.filter((box) => box.kind === "missed");
  const wrong = found.filter((box) => labelled && !["right", "ignored"].includes(box.kind));
  const summary = labelled ? `${found.length - wrong.length} right, ${wrong.length} wrong, ${missed.length} missed` : counted(found);
  const shown = [...boxes].sort((a, b) => a.hit - b.hit);
  const open = () => view(image, boxes, image.id, [
    ["Detections", found.map((box) => ({ color: box.color, text: `${className(box.class)} ${score(box.score)}${labelled ? `, ${box.kind}` : ""}` }))],
    ["Ground truth", boxes.filter((box) => box.dashed).map((box) => ({ color: box.color, text: `${className(box.class)}, ${box.kind}` }))],
  ]);
  return el("button", { type: "button", class: "card", onclick: open }, overlay(image, shown, { labels: found.length < 12 }),
    el("span", { class: "caption" }, el("b", { text: image.id }), el("span", { text: summary })));
}

function counted(boxes) {
  const counts = new Map();
  for (const box of boxes) counts.set(box.class, (counts.get(box.class) || 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1]).map(([index, count]) => `${count} ${className(index)}`).join(", ") || "nothing above the score";
}
