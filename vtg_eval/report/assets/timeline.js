// Timelines: truth, predictions and the frames' times along a video's length.

// How many seconds a sample's timeline spans: the video, or all that is known to be in it.
function extent(index) {
  const sample = PAGE.samples[index];
  if (sample.duration > 0) return sample.duration;
  const ends = [...sample.truth, ...answersOf(index).flatMap((answer) => answer.spans)].flat();
  const frames = answersOf(index).flatMap((answer) => gridTimes(answer.shown));
  return Math.max(1, ...[...ends, ...frames].filter((time) => time !== null && time < 1e6));
}

function answersOf(index) {
  return PAGE.answers.map((answers) => answers[index]).filter((answer) => answer);
}

// A span as a bar. Returns null for one that has no place: no number, reversed, beyond the video.
function spanBar([start, end], whole, kind) {
  if (start === null || end === null || end < start || end < 0 || start > whole) return null;
  const inside = (time) => Math.min(1, Math.max(0, time / whole));
  const leaves = start < 0 || end > whole ? " leaves" : "";
  return place(el("i", { class: `span ${kind}${leaves}` }), inside(start), inside(end));
}

// The small timeline of a row in the list.
function miniature(index) {
  const whole = extent(index);
  const lines = [
    ["truth", PAGE.samples[index].truth],
    ...RUNS.map((run, k) => [LETTERS[k], (PAGE.answers[k][index]?.spans ?? []).slice(0, 1)]),
  ];
  return el(
    "span",
    { class: "miniature", "aria-hidden": "true" },
    ...lines.map(([kind, spans]) => el("span", { class: "lane" }, ...spans.map((span) => spanBar(span, whole, kind)))),
  );
}

// The large timeline: a line each for truth, runs, frames, and an axis in seconds.
function timeline(index) {
  const sample = PAGE.samples[index];
  const whole = extent(index);
  const rows = [];
  const truth = sample.truth.length ? sample.truth.map(spanText).join(", ") : "never happens";
  rows.push(timelineRow("truth", el("span", { class: "run" }, sign("truth"), "truth"), spanTrack(sample.truth, whole, "truth"), truth));
  RUNS.forEach((run, k) => {
    const answer = PAGE.answers[k][index];
    if (answer) rows.push(timelineRow(LETTERS[k], runLabel(k), spanTrack(answer.spans, whole, LETTERS[k]), readAs(answer)));
  });
  for (const { label, kind, times } of frameRows(index)) {
    rows.push(timelineRow(`frames frames-${kind}`, label, tickTrack(times, whole, kind), `${times.length}`));
  }
  return el("div", { class: "timeline", role: "group", "aria-label": "Timeline" }, ...rows, axisRow(whole));
}

function timelineRow(kind, label, track, text) {
  return el("div", { class: `timeline-row ${kind}` }, el("span", { class: "who" }, label), track, el("span", { class: "times" }, text));
}

function spanTrack(spans, whole, kind) {
  const bars = spans.map((span, k) => spanBar(span, whole, k && kind !== "truth" ? `${kind} further` : kind));
  return el("div", { class: "track", "aria-hidden": "true" }, ...bars);
}

function tickTrack(times, whole, kind) {
  const at = (time) => `${Math.min(100, (100 * time) / whole)}%`;
  const lines = times.map((time) => svg("line", { class: `frame ${kind}`, x1: at(time), x2: at(time), y1: "15%", y2: "85%" }));
  return el("div", { class: "track ticks", "aria-hidden": "true" }, svg("svg", { width: "100%", height: "100%" }, ...lines));
}

// Which frames each run saw, and the times it was told; rows that say the same stand once.
function frameRows(index) {
  const found = [];
  RUNS.forEach((run, k) => {
    const answer = PAGE.answers[k][index];
    if (!answer) return;
    for (const [label, number] of [["frames shown", answer.shown], ["times told", answer.told]]) {
      const times = gridTimes(number);
      if (!times.length) continue;
      const same = found.find((each) => each.label === label && each.number === number);
      if (same) same.kind = "";
      else found.push({ label, number, times, kind: LETTERS[k], k });
    }
  });
  const several = (label) => found.filter((each) => each.label === label).length > 1;
  return found.map((each) => (several(each.label) ? { ...each, label: `${each.label}, ${LETTERS[each.k].toUpperCase()}` } : each));
}

function axisRow(whole) {
  const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200].find((each) => whole / each <= 8) ?? whole / 8;
  const marks = [];
  for (let time = 0; time <= whole * 1.0001; time += step) {
    const text = whole >= 180 ? clock(time) : `${Number(time.toFixed(1))}${time ? "" : " s"}`;
    marks.push(place(el("span", {}, text), time / whole, time / whole));
  }
  return el("div", { class: "timeline-row axis-row", "aria-hidden": "true" }, el("span", { class: "who" }), el("div", { class: "axis-track" }, ...marks), el("span", { class: "times" }));
}
