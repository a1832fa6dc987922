// Makes elements. Text is always inserted as text: nothing here parses HTML.

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

// Replace the content of an element of the page.
function put(id, ...children) {
  byId(id).replaceChildren(...children.filter((child) => child !== null));
}

// Text of models and datasets, isolated so that it keeps its own writing direction.
function foreign(text, tag = "bdi", attributes = {}) {
  return el(tag, attributes, text);
}

function button(text, act, attributes = {}) {
  const node = el("button", { type: "button", ...attributes }, text);
  node.addEventListener("click", act);
  return node;
}

// A table that scrolls if it is too wide for the window. Columns have numbers, except the first
// and those whose head is an element.
function table(caption, heads, rows) {
  const numbers = (head, k) => (k && typeof head === "string" ? "number" : null);
  const head = el("tr", {}, ...heads.map((text, k) => el("th", { scope: "col", class: numbers(text, k) }, text)));
  return el(
    "div",
    { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" },
    el("table", {}, el("caption", { class: "hidden" }, caption), el("thead", {}, head), el("tbody", {}, ...rows)),
  );
}

function row(head, cells, attributes = {}) {
  return el("tr", attributes, el("th", { scope: "row" }, head), ...cells);
}

function numberCell(...content) {
  return el("td", { class: "number" }, ...content);
}

// Position a node between two fractions of its parent's width.
function position(node, from, to) {
  node.style.left = `${100 * from}%`;
  node.style.width = `${100 * Math.max(0, to - from)}%`;
  return node;
}
