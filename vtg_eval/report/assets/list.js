// The list of samples: only the rows in view are in the document.

const ROW = 62; // px, as in the style
const SPARE = 6; // rows above and below the view

let shown = []; // indices of the listed samples
let current = -1; // the chosen sample's index, -1 for none
const rows = new Map(); // the rows in the document, by their index in the list

function drawList() {
  const list = byId("list");
  list.append(el("div", { class: "runway", role: "presentation" }));
  list.addEventListener("scroll", drawRows, { passive: true });
  list.addEventListener("keydown", onListKey);
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(Number(option.dataset.index));
  });
  new ResizeObserver(drawRows).observe(list);
}

// Filter and sort again; the chosen sample stays chosen if it is still listed.
function refresh() {
  shown = listed();
  byId("list").firstChild.style.height = `${shown.length * ROW}px`;
  byId("list").firstChild.replaceChildren();
  rows.clear();
  const all = count(PAGE.samples.length, "sample");
  byId("count").textContent = shown.length === PAGE.samples.length ? all : `${shown.length.toLocaleString("en")} of ${all}`;
  choose(shown.includes(current) ? current : (shown[0] ?? -1));
}

function choose(index) {
  current = index;
  for (const [at, row] of rows) row.setAttribute("aria-selected", String(shown[at] === current));
  reveal();
  drawDetail();
  writeAddress();
}

// Scroll as little as needed to show the chosen row.
function reveal() {
  const list = byId("list");
  const at = shown.indexOf(current);
  if (at >= 0) {
    const [top, view] = [at * ROW, list.clientHeight];
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + view) list.scrollTop = top + ROW - view;
  }
  drawRows();
}

// Remove the rows that left the view and insert those that entered it.
function drawRows() {
  const list = byId("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - SPARE);
  const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + SPARE);
  for (const [at, row] of rows) {
    if (at >= first && at < last) continue;
    row.remove();
    rows.delete(at);
  }
  const kept = rows.get(Math.min(...rows.keys())) ?? null;
  const from = kept ? Math.min(...rows.keys()) : last;
  for (let at = first; at < last; at++) {
    if (rows.has(at)) continue;
    const row = optionRow(at);
    list.firstChild.insertBefore(row, at < from ? kept : null);
    rows.set(at, row);
  }
  const chosenRow = byId(`option-${current}`);
  if (chosenRow) list.setAttribute("aria-activedescendant", chosenRow.id);
  else list.removeAttribute("aria-activedescendant");
}

function optionRow(at) {
  const index = shown[at];
  const sample = PAGE.samples[index];
  const node = el(
    "div",
    {
      id: `option-${index}`,
      class: "option",
      role: "option",
      "data-index": index,
      "aria-selected": String(index === current),
      "aria-setsize": shown.length,
      "aria-posinset": at + 1,
    },
    el("span", { class: "query" }, foreign(sample.query)),
    el("span", { class: "values" }, ...RUNS.map((run, k) => valueChip(PAGE.answers[k][index], k))),
    el("span", { class: "id muted" }, foreign(sample.id)),
    sample.asks_span ? miniature(index) : el("span"),
  );
  node.style.transform = `translateY(${at * ROW}px)`;
  return node;
}

// A run's value of a sample: its IoU, else its part of the primary metric, else of the first metric it counts in.
function valueChip(answer, k) {
  if (!answer) return el("span", { class: "value muted" }, mark(k), DASH);
  const value = answer.iou ?? answer.worth ?? answer.values.find((part) => part !== null) ?? null;
  const wrong = answer.failures.map(failureName).join(", ");
  const letter = RUNS.length > 1 ? `${LETTERS[k].toUpperCase()} ` : "";
  return el(
    "span",
    { class: "value" },
    el("span", { class: "flag", title: wrong || null, "aria-hidden": "true" }, wrong ? "!" : ""),
    mark(k),
    el("span", { class: "hidden" }, `${letter}${answer.iou === null ? "score" : "IoU"} `),
    fixed(value, 2),
    wrong ? el("span", { class: "hidden" }, `, ${wrong}`) : null,
  );
}

function onListKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const page = Math.max(1, Math.floor(byId("list").clientHeight / ROW) - 1);
  const at = shown.indexOf(current);
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 };
  if (event.key === "Enter") {
    byId("detail").focus();
    event.preventDefault();
  } else if (event.key in moves && shown.length) {
    choose(shown[Math.min(shown.length - 1, Math.max(0, moves[event.key]))]);
    event.preventDefault();
  }
}
