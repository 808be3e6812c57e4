"use strict";
/* An image with boxes on it, whole or cut out, as SVG. */

const KINDS = ["right", "classification", "localisation", "both", "duplicate", "background", "ignored"];

/* Boxes: {box: [left, top, width, height] relative, color, dashed, label}. Window: relative part that is shown. */
function overlay(image, boxes, { labels = true, window: part = [0, 0, 1, 1], scale = 1 } = {}) {
  const width = image.width || 400, height = image.height || 300;
  const [left, top, w, h] = [part[0] * width, part[1] * height, part[2] * width, part[3] * height];
  const unit = Math.max(w / 400, h / 300) * scale;
  const root = svg("svg", { viewBox: `${left} ${top} ${w} ${h}`, role: "img", "aria-label": image.id, preserveAspectRatio: "xMidYMid meet" });
  if (image.src && image.src.startsWith("data:image/")) root.append(svg("image", { href: image.src, x: 0, y: 0, width, height, preserveAspectRatio: "none" }));
  for (const { box, color: stroke, dashed, label } of boxes) {
    const [x, y] = [box[0] * width, box[1] * height];
    root.append(svg("rect", {
      x, y, width: Math.max(box[2] * width, 0), height: Math.max(box[3] * height, 0), fill: "none", "stroke-width": 2.4 * unit,
      "stroke-dasharray": dashed ? `${7 * unit} ${4 * unit}` : null, style: `stroke:${stroke}`,
    }));
    if (labels && label) root.append(tag(label, x, y, stroke, unit, { left, top, w, h }));
  }
  return root;
}

/* A label that stays inside of the window. */
function tag(text, x, y, fill, unit, seen) {
  const size = 13 * unit, wide = text.length * size * 0.58 + 8 * unit, high = size * 1.3;
  const left = Math.max(seen.left, Math.min(x, seen.left + seen.w - wide)), top = y - high < seen.top ? Math.max(y, seen.top) : y - high;
  return svg("g", {},
    svg("rect", { x: left, y: top, width: wide, height: high, style: `fill:${fill}` }),
    svg("text", { x: left + 4 * unit, y: top + high * 0.76, style: `font-size:${size}px;fill:#fff;font-weight:600`, text }));
}

/* The part of an image around boxes, with some surroundings, as wide as 4 by 3. */
function around(boxes, image) {
  const ratio = (image.width || 4) / (image.height || 3);
  const x1 = Math.min(...boxes.map((b) => b[0])), y1 = Math.min(...boxes.map((b) => b[1]));
  const x2 = Math.max(...boxes.map((b) => b[0] + b[2])), y2 = Math.max(...boxes.map((b) => b[1] + b[3]));
  let h = Math.max((y2 - y1) * 1.9, 0.2), w = Math.max((x2 - x1) * 1.9, 0.2);
  if ((w * ratio) / h < 4 / 3) w = (h * 4) / 3 / ratio; else h = (w * ratio * 3) / 4;
  [w, h] = [Math.min(w, 1), Math.min(h, 1)];
  return [Math.min(Math.max((x1 + x2 - w) / 2, 0), 1 - w), Math.min(Math.max((y1 + y2 - h) / 2, 0), 1 - h), w, h];
}

/* The large view of an image, beside a list of what is on it. */
function view(image, boxes, title, lists) {
  const dialog = document.getElementById("viewer");
  const close = el("button", { type: "button", class: "plain close", text: "Close", onclick: () => dialog.close() });
  const parts = lists.filter(([, items]) => items.length).flatMap(([heading, items]) => [
    el("h3", { text: heading }),
    el("ul", {}, items.map((item) => el("li", {}, el("i", { style: `background:${item.color}` }), item.text))),
  ]);
  dialog.replaceChildren(el("div", { class: "viewer" }, overlay(image, boxes, { scale: 0.42 }), el("aside", {}, el("h3", { text: title }), parts), close));
  dialog.onclick = (event) => { if (event.target === dialog) dialog.close(); };
  dialog.showModal();
}

function legend(entries) {
  return el("p", { class: "legend" }, entries.map(([text, stroke, dashed]) =>
    el("span", {}, el("i", { class: dashed ? "dashed" : null, style: `border-color:${stroke}` }), text)));
}

/* Cards that appear a page at a time. */
function paged(container, more, size) {
  let shown = 0, items = [], make = null;
  const next = () => {
    container.append(...items.slice(shown, shown + size).map(make));
    shown = Math.min(shown + size, items.length);
    more.hidden = shown >= items.length;
    more.textContent = `Show more (${items.length - shown} left)`;
  };
  more.addEventListener("click", next);
  return (list, maker) => { items = list; make = maker; shown = 0; container.replaceChildren(); next(); };
}

function picker(label, options, onchange) {
  const select = el("select", { onchange }, options.map(([value, text]) => el("option", { value, text })));
  return [el("label", {}, label, select), select];
}

function slider(label, value, oninput) {
  const shown = el("output", { text: score(value) });
  const input = el("input", { type: "range", min: 0, max: 1, step: 0.01, value, oninput: () => { shown.textContent = score(+input.value); oninput(); } });
  return [el("label", {}, el("span", {}, `${label} `, shown), input), input];
}
