// Formats numbers and names.

const PAGE = JSON.parse(byId("data").textContent);
const RUNS = PAGE.runs;
const LETTERS = ["a", "b"];
const DASH = "–";

function fixed(value, digits) {
  return value === null || value === undefined ? DASH : value.toFixed(digits).replace("-", "−");
}

function percent(value) {
  return fixed(value, 1);
}

function share(count, all) {
  return all ? `${((100 * count) / all).toFixed(1)} %` : DASH;
}

function seconds(value) {
  return value === null ? "no number" : `${fixed(value, Math.abs(value) < 1000 ? 1 : 0)} s`;
}

// A span with both times, "7.7 – 13.1 s", or "no number" for a time that is none.
function spanText([start, end]) {
  const text = (time) => (time === null ? "no number" : fixed(time, Math.abs(time) < 1000 ? 1 : 0));
  return `${text(start)} ${DASH} ${text(end)} s`;
}

function clock(time) {
  const whole = Math.round(time);
  const pad = (part) => String(part).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${pad(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${pad(minutes % 60)}:${pad(whole % 60)}`;
}

function count(n, noun) {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

// "A: nano" where there are two runs, "nano" where there is one.
function runName(k) {
  return RUNS.length > 1 ? `${LETTERS[k].toUpperCase()}: ${RUNS[k].model}` : RUNS[k].model;
}

function failureName(number) {
  return PAGE.failures[number].name.replaceAll("_", " ");
}

// A coloured mark. A run's also has its letter, so it can be read without colour.
function sign(kind, letter = "") {
  return el("span", { class: `mark ${kind}`, "aria-hidden": "true" }, letter || "\u00a0");
}

function mark(k) {
  return sign(LETTERS[k], RUNS.length > 1 ? LETTERS[k].toUpperCase() : "");
}

// A run's mark and name; the letter is visible in the mark, and hidden text for screen readers.
function runLabel(k) {
  const letter = RUNS.length > 1 ? el("span", { class: "hidden" }, `${LETTERS[k].toUpperCase()}: `) : null;
  return el("span", { class: "run" }, mark(k), letter, foreign(RUNS[k].model));
}

function gridTimes(number) {
  let time = 0;
  return PAGE.grids[number].map((step) => (time += step) / 100);
}
