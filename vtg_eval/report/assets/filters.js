// Which samples are listed, and in which order. The address keeps both, so a link restores them.

const PLAIN = { q: "", failure: "", group: "", run: "", low: "", high: "", show: "", sort: "" };
const NO_FAILURE = "none";
const HAS_IOU = PAGE.answers.some((answers) => answers.some((answer) => answer && answer.iou !== null));

let chosen = { ...PLAIN };
let haystacks = null;

// The text that is searched, in lower case, made at the first search.
function haystack(index) {
  haystacks ??= PAGE.samples.map((sample, k) =>
    [sample.id, sample.video, sample.query, ...sample.options, ...PAGE.answers.map((answers) => answers[k]?.text ?? "")].join("\n").toLowerCase(),
  );
  return haystacks[index];
}

function worth(k, index) {
  return PAGE.answers[k][index]?.worth ?? null;
}

function gain(index) {
  const [a, b] = [worth(0, index), worth(1, index)];
  return a === null || b === null ? null : b - a;
}

const SHOWS = {
  differ: (index) => Math.abs(gain(index) ?? 0) > 1e-4,
  a: (index) => (gain(index) ?? 0) < -1e-4,
  b: (index) => (gain(index) ?? 0) > 1e-4,
};

const SORTS = {
  low: (index) => worth(0, index),
  high: (index) => negative(worth(0, index)),
  lowB: (index) => worth(1, index),
  highB: (index) => negative(worth(1, index)),
  gainA: (index) => gain(index),
  gainB: (index) => negative(gain(index)),
  duration: (index) => PAGE.samples[index].duration,
  query: (index) => PAGE.samples[index].query.toLowerCase(),
};

function negative(value) {
  return value === null ? null : -value;
}

// Return the indices of the samples to list.
function listed() {
  const terms = chosen.q.toLowerCase().split(/\s+/).filter(Boolean);
  const runs = chosen.run === "" ? RUNS.map((_, k) => k) : [Number(chosen.run)];
  const group = chosen.group === "" ? null : Number(chosen.group);
  const low = chosen.low === "" ? -Infinity : Number(chosen.low);
  const high = chosen.high === "" ? Infinity : Number(chosen.high);
  const bounded = chosen.low !== "" || chosen.high !== "";
  const kind = chosen.failure;
  const matches = (answer) => {
    if (!answer) return false;
    if (bounded && !(answer.iou !== null && answer.iou >= low && answer.iou <= high)) return false;
    if (kind === NO_FAILURE) return answer.failures.length === 0;
    return kind === "" || answer.failures.includes(Number(kind));
  };
  const unfiltered = !bounded && kind === "" && chosen.run === "";
  const indices = [];
  for (let index = 0; index < PAGE.samples.length; index++) {
    if (group !== null && !PAGE.samples[index].groups.includes(group)) continue;
    if (!unfiltered && !runs.some((k) => matches(PAGE.answers[k][index]))) continue;
    if (chosen.show && !SHOWS[chosen.show](index)) continue;
    if (terms.length && !terms.every((term) => haystack(index).includes(term))) continue;
    indices.push(index);
  }
  return chosen.sort ? inOrder(indices, SORTS[chosen.sort]) : indices;
}

// Sort by a key; samples without one come last, ties keep the annotation's order.
function inOrder(indices, key) {
  const keys = new Map(indices.map((index) => [index, key(index)]));
  const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
  return indices.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (x === null || y === null) return (x === null) - (y === null) || a - b;
    return compare(x, y) || a - b;
  });
}

function drawFilters() {
  const two = RUNS.length > 1;
  const kinds = [...new Set(PAGE.answers.flatMap((answers) => answers.flatMap((answer) => answer?.failures ?? [])))].sort((a, b) => a - b);
  const groupings = [...new Set(PAGE.groups.map((group) => group.grouping))];
  const search = el("input", { type: "search", name: "q", autocomplete: "off", spellcheck: "false", placeholder: "query, id or answer" });
  const bound = (name, hint) => el("input", { type: "number", name, min: 0, max: 1, step: 0.05, placeholder: hint, inputmode: "decimal" });
  put(
    "filters",
    field("Search", search, "wide"),
    field("Failure", select("failure", [["", "any or none"], [NO_FAILURE, "no failure"], ...kinds.map((kind) => [kind, failureName(kind)])])),
    PAGE.groups.length ? field("Group", groupSelect(groupings)) : null,
    HAS_IOU ? field("IoU from", bound("low", "0")) : null,
    HAS_IOU ? field("IoU to", bound("high", "1")) : null,
    two ? field("Of run", select("run", [["", "either"], [0, "A"], [1, "B"]])) : null,
    two ? field("Show", select("show", [["", "all"], ["differ", "those that differ"], ["a", "A is better"], ["b", "B is better"]])) : null,
    field("Sort", select("sort", sortNames(two))),
    button("Clear", () => showOnly({}), { class: "clear" }),
  );
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("filters").addEventListener("input", () => {
    for (const name of Object.keys(PLAIN)) chosen[name] = byId("filters").elements[name]?.value ?? "";
    refresh();
  });
}

function sortNames(two) {
  const runs = two
    ? [["low", "A: worst first"], ["high", "A: best first"], ["lowB", "B: worst first"], ["highB", "B: best first"], ["gainA", "largest loss from A to B"], ["gainB", "largest gain from A to B"]]
    : [["low", "worst first"], ["high", "best first"]];
  return [["", "as annotated"], ...runs, ["duration", "shortest video first"], ["query", "query, A to Z"]];
}

function field(label, control, kind = "") {
  return el("label", { class: `field ${kind}` }, el("span", {}, label), control);
}

function select(name, options) {
  return el("select", { name }, ...options.map(([value, text]) => el("option", { value }, text)));
}

function groupSelect(groupings) {
  const inside = (grouping) => PAGE.groups.flatMap((group, k) => (group.grouping === grouping ? [el("option", { value: k }, group.name)] : []));
  const parts = groupings.map((grouping) => el("optgroup", { label: grouping }, ...inside(grouping)));
  return el("select", { name: "group" }, el("option", { value: "" }, "all"), ...parts);
}

// Set the filters' controls; a value that a control does not offer is ignored.
function setFilters(values) {
  chosen = { ...PLAIN };
  for (const name of Object.keys(PLAIN)) {
    const control = byId("filters").elements[name];
    if (!control) continue;
    const value = values[name] ?? "";
    control.value = control.type === "number" && Number.isNaN(Number(value)) ? "" : value;
    if (control.value === "") control.value = ""; // a select without that option goes to the first
    chosen[name] = control.value;
  }
}

// List exactly the samples with these values, and scroll to the list.
function showOnly(values) {
  setFilters(values);
  refresh();
  byId("samples").scrollIntoView();
  byId("list").focus({ preventScroll: true });
}
