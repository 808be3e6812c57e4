"use strict";
/* Elements, numbers and names. Text from the data is only ever set as textContent or as an attribute's value. */

const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "text") element.textContent = value;
    else if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  for (const child of children || []) if (child !== null && child !== undefined) element.append(child);
  return element;
}

const el = (name, attributes, ...children) => fill(document.createElement(name), attributes, children.flat());
const svg = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children.flat());

const number = (value) => (value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en-US"));
const percent = (value, digits = 2) => (value === null || value === undefined || value < 0 ? "–" : (100 * value).toFixed(digits));
const score = (value) => value.toFixed(2);
const color = (kind) => `var(--${kind})`;
const className = (index) => data.names[index] ?? String(index);

/* Colours of classes where there is no ground truth: hues by the golden angle, so that neighbours differ. */
const classColor = (index) => `hsl(${(index * 137.508 + 205) % 360} 75% 52%)`;

function section(id, title, lead, ...children) {
  document.getElementById("nav").append(el("a", { href: `#${id}`, text: title }));
  const made = el("section", { id }, el("h2", { text: title }), lead ? el("p", { class: "lead", text: lead }) : null, children);
  document.getElementById("main").append(made);
  return made;
}

/* A line of text beside the pointer. */
const tip = document.getElementById("tip");
function tipped(element, text) {
  element.addEventListener("pointermove", (event) => {
    tip.textContent = text;
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = `${left}px`;
    tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
  });
  element.addEventListener("pointerleave", () => { tip.hidden = true; });
  return element;
}

/* A table whose columns sort. Columns: {title, value(row), show(row)}. */
function table(columns, rows, options = {}) {
  const body = el("tbody");
  let order = null;
  const draw = () => {
    const value = order && columns[order.at].value;
    const sorted = order === null ? rows : [...rows].sort((a, b) => compare(value(a), value(b)) * order.sign);
    body.replaceChildren(...sorted.map((row) => el("tr", {}, columns.map((column) => cell(column, row)))), ...(options.last || []));
  };
  const head = columns.map((column, at) => el("th", { scope: "col", class: column.left ? "left" : null }, el("button", {
    type: "button",
    text: column.title,
    onclick: () => { order = { at, sign: order && order.at === at ? -order.sign : at ? -1 : 1 }; draw(); },
  })));
  draw();
  return el("table", { class: options.class }, el("thead", {}, el("tr", {}, head)), body);
}

function compare(a, b) {
  if (typeof a === "string") return a.localeCompare(b);
  return (a ?? -Infinity) - (b ?? -Infinity);
}

function cell(column, row) {
  const shown = column.show(row);
  return fill(el("td", { class: column.left ? "left" : null }), shown instanceof Node ? {} : { text: shown }, shown instanceof Node ? [shown] : []);
}
