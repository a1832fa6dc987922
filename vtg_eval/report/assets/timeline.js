// Timelines: truth, predictions and frame times along the video.

// The length of a sample's timeline in seconds: the video's, or up to the last time in it if unknown.
function extent(index) {
  const sample = PAGE.samples[index];
  if (sample.duration > 0) return sample.duration;
  const ends = [...sample.truth, ...answersOf(index).flatMap((answer) => answer.spans)].flat();
  const frames = answersOf(index).flatMap((answer) => gridTimes(answer.frame_times));
  return Math.max(1, ...[...ends, ...frames].filter((time) => time !== null && time < 1e6));
}

function answersOf(index) {
  return PAGE.answers.map((answers) => answers[index]).filter((answer) => answer);
}

// A span as a bar; null for one that cannot be drawn: not a number, reversed, outside the video.
function spanBar([start, end], whole, kind) {
  if (start === null || end === null || end < start || end < 0 || start > whole) return null;
  const inside = (time) => Math.min(1, Math.max(0, time / whole));
  const leaves = start < 0 || end > whole ? " leaves" : "";
  return position(el("i", { class: `span ${kind}${leaves}` }), inside(start), inside(end));
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

// The large timeline: rows for truth, runs and frames, and an axis in seconds.
function timeline(index) {
  const sample = PAGE.samples[index];
  const whole = extent(index);
  const rows = [];
  const truth = sample.truth.length ? sample.truth.map(spanText).join(", ") : "never happens";
  rows.push(timelineRow("truth", el("span", { class: "run" }, sign("truth"), "truth"), spanTrack(sample.truth, whole, "truth"), truth));
  RUNS.forEach((run, k) => {
    const answer = PAGE.answers[k][index];
    if (answer) rows.push(timelineRow(LETTERS[k], runLabel(k), spanTrack(answer.spans, whole, LETTERS[k]), parsedText(answer)));
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

// Rows of each run's input frames and model times; equal rows of two runs are merged.
function frameRows(index) {
  const rows = [];
  RUNS.forEach((run, k) => {
    const answer = PAGE.answers[k][index];
    if (!answer) return;
    for (const [label, number] of [["input frames", answer.frame_times], ["model times", answer.model_times]]) {
      const times = gridTimes(number);
      if (!times.length) continue;
      const same = rows.find((row) => row.label === label && row.number === number);
      if (same) same.kind = "";
      else rows.push({ label, number, times, kind: LETTERS[k], k });
    }
  });
  const several = (label) => rows.filter((row) => row.label === label).length > 1;
  return rows.map((row) => (several(row.label) ? { ...row, label: `${row.label}, ${LETTERS[row.k].toUpperCase()}` } : row));
}

function axisRow(whole) {
  const step = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200].find((width) => whole / width <= 8) ?? whole / 8;
  const marks = [];
  for (let time = 0; time <= whole * 1.0001; time += step) {
    const text = whole >= 180 ? clock(time) : `${Number(time.toFixed(1))}${time ? "" : " s"}`;
    marks.push(position(el("span", {}, text), time / whole, time / whole));
  }
  return el("div", { class: "timeline-row axis-row", "aria-hidden": "true" }, el("span", { class: "who" }), el("div", { class: "axis-track" }, ...marks), el("span", { class: "times" }));
}
