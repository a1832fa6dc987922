// Makes elements. Text is always inserted as text: nothing here parses HTML.

// Invisible characters, as in vtg_eval/console/text.py, but for line feeds and tabs.
const INVISIBLE = new RegExp(
  [
    String.raw`[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f`,
    String.raw`\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff`,
    String.raw`\u{1bca0}-\u{1bca3}\u{1d173}-\u{1d17a}\u{e0000}-\u{e0fff}]`,
    String.raw`|(?<![^\0-\x7f\u200c\u200d])[\u200c\u200d]|(?<![^\0-\x7f])(?<![0-9#*])[\ufe00-\ufe0f]`,
  ].join(""),
  "gu",
);

// The text with each invisible character as its escape.
function visible(text) {
  return text.replace(INVISIBLE, (character) => {
    const code = character.codePointAt(0);
    const [mark, digits] = code < 0x100 ? ["x", 2] : code < 0x10000 ? ["u", 4] : ["U", 8];
    return `\\${mark}${code.toString(16).padStart(digits, "0")}`;
  });
}

function visibleChildren(children) {
  return children
    .filter((child) => child !== null && child !== undefined)
    .map((child) => (typeof child === "string" ? visible(child) : child));
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    const text = value === true ? "" : String(value);
    node.setAttribute(name, name === "title" || name === "aria-label" ? visible(text) : text);
  }
  node.append(...visibleChildren(children));
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
  byId(id).replaceChildren(...visibleChildren(children));
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
