// The plots of each run and of the blind predictor on the same samples.

const BLIND = RUNS.find((run) => run.floor_plots); // the run whose samples the blind predictor is drawn for

function drawPlots() {
  const plots = [iouPlot(), recallPlot(), scatterPlot("start"), scatterPlot("length"), lengthPlot("by_duration"), lengthPlot("by_length")];
  put("plots-body", plotKey(), ...plots);
}

function plotKey() {
  const runs = RUNS.map((run, k) => runLabel(k));
  const floor = BLIND ? [el("span", { class: "run" }, sign("floor"), BLIND.floor_name)] : [];
  return el("p", { class: "muted plot-key" }, ...runs, ...floor);
}

// The predictors to draw: plots, name and colour.
function predictors() {
  const list = RUNS.map((run, k) => ({ plots: run.plots, name: runName(k), kind: LETTERS[k] }));
  if (BLIND) list.push({ plots: BLIND.floor_plots, name: BLIND.floor_name, kind: "floor" });
  return list;
}

function iouPlot() {
  const lines = predictors().filter((line) => line.plots.ious);
  if (!lines.length) return null;
  const bins = lines[0].plots.ious.length;
  const names = ["0", ...Array.from({ length: bins - 1 }, (_, k) => `${(k / 10).toFixed(1)} to ${((k + 1) / 10).toFixed(1)}`)];
  const most = Math.max(10, ...lines.flatMap((line) => line.plots.ious));
  const top = Math.ceil(most / 10) * 10;
  const chart = frame({
    xRange: [0, bins],
    yRange: [0, top],
    xTicks: [[0.5, "0"], ...[2, 4, 6, 8, 10].map((k) => [k + 1, (k / 10).toFixed(1)])],
    yTicks: ticks(0, top, top > 50 ? 5 : top / 10, (v) => v.toFixed(0)),
    xLabel: "IoU (first bar: exactly 0)",
    yLabel: "samples, %",
  });
  const runs = lines.filter((line) => line.kind !== "floor");
  runs.forEach((line, k) => {
    const width = 0.84 / runs.length;
    line.plots.ious.forEach((value, bin) => barMark(chart, bin + 0.08 + k * width, bin + 0.08 + (k + 1) * width, value, line.kind));
  });
  const floor = lines.find((line) => line.kind === "floor");
  floor?.plots.ious.forEach((value, bin) => levelMark(chart, bin + 0.04, bin + 0.96, value, "floor level"));
  const sentences = runs.map((line) => `${line.name}: ${percent(line.plots.ious[0])} % have IoU 0, ${percent(line.plots.ious.slice(6).reduce((a, b) => a + b, 0))} % above 0.5.`);
  return figure(
    "IoU of the samples",
    chart.root,
    `${sentences.join(" ")}${floor ? " Dashes: the blind predictor." : ""}`,
    ["IoU", ...lines.map((line) => line.name)],
    names.map((name, bin) => [name, ...lines.map((line) => `${percent(line.plots.ious[bin])} %`)]),
  );
}

function recallPlot() {
  const lines = predictors().filter((line) => line.plots.recall);
  if (!lines.length) return null;
  const steps = lines[0].plots.recall.length - 1;
  const chart = frame({
    xRange: [0, 1],
    yRange: [0, 100],
    xTicks: ticks(0, 1, 5, (v) => v.toFixed(1)),
    yTicks: ticks(0, 100, 5, (v) => v.toFixed(0)),
    xLabel: "IoU threshold",
    yLabel: "R@1, %",
  });
  for (const line of [...lines].reverse()) {
    lineMark(chart, line.plots.recall.map((value, k) => [k / steps, value]), line.kind);
  }
  const at = [0.1, 0.3, 0.5, 0.7, 0.9];
  const value = (line, t) => line.plots.recall[Math.round(t * steps)];
  const sentences = lines.map((line) => `${line.name}: ${percent(value(line, 0.5))} % at 0.5, ${percent(value(line, 0.7))} % at 0.7.`);
  return figure(
    "R@1 over thresholds",
    chart.root,
    sentences.join(" "),
    ["threshold", ...lines.map((line) => line.name)],
    at.map((t) => [t.toFixed(1), ...lines.map((line) => `${percent(value(line, t))} %`)]),
  );
}

function scatterPlot(quantity) {
  const lines = predictors().filter((line) => line.plots[quantity].n);
  if (!lines.some((line) => line.kind !== "floor")) return null;
  const write = (v) => v.toFixed(1);
  const chart = frame({
    xRange: [0, 1],
    yRange: [0, 1],
    xTicks: ticks(0, 1, 5, write),
    yTicks: ticks(0, 1, 5, write),
    xLabel: `true ${quantity}, of the duration`,
    yLabel: `predicted ${quantity}`,
  });
  lineMark(chart, [[0, 0], [1, 1]], "exact");
  const cells = 50;
  for (const line of lines.filter((other) => other.kind !== "floor")) {
    const most = Math.max(1, ...line.plots[quantity].cells.map((cell) => cell.n));
    for (const { x, y, n } of line.plots[quantity].cells) {
      const r = 1.8 + 2.6 * Math.sqrt((n - 1) / Math.max(6, most - 1));
      chart.root.append(dotShape(chart.x((x + 0.5) / cells), chart.y((y + 0.5) / cells), r, line.kind));
    }
  }
  const level = BLIND ? { start: BLIND.floor_fractions[0], length: BLIND.floor_fractions[1] - BLIND.floor_fractions[0] }[quantity] : null;
  if (level !== null) levelMark(chart, 0, 1, level, "floor");
  const sentences = lines
    .filter((line) => line.kind !== "floor")
    .map(({ name, plots }) => {
      const { correlation, error, n } = plots[quantity];
      return `${name}: correlation ${fixed(correlation, 2)}, median error ${seconds(error)}, ${count(n, "sample")}.`;
    });
  const strips = lines[0].plots[quantity].strips;
  return figure(
    quantity === "start" ? "Start: predicted against true" : "Length: predicted against true",
    chart.root,
    `${sentences.join(" ")} Thin diagonal: exact.${level === null ? "" : " Dotted: the blind predictor."}`,
    [`true ${quantity}`, ...lines.map((line) => `median, ${line.name}`)],
    strips.map((strip, k) => [
      `${strip.low.toFixed(1)} to ${strip.high.toFixed(1)}`,
      ...lines.map((line) => {
        const { median, n } = line.plots[quantity].strips[k];
        return median === null ? DASH : `${median.toFixed(2)} (${n})`;
      }),
    ]),
  );
}

function lengthPlot(quantity) {
  const lines = predictors().filter((line) => line.plots[quantity].length);
  if (!lines.length) return null;
  // the runs share their bins, but a run with fewer samples may lack some
  const byLow = new Map(lines.flatMap((line) => line.plots[quantity].map((bar) => [bar.low, bar])));
  const bars = [...byLow.values()].sort((a, b) => a.low - b.low);
  const lows = bars.map((bar) => bar.low);
  const names = bars.map((bar) => `${brief(bar.low)} to ${brief(bar.high)} s`);
  const chart = frame({
    xRange: [0, lows.length],
    yRange: [0, 100],
    xTicks: [...lows, bars.at(-1).high].map((edge, k) => [k, brief(edge)]),
    yTicks: ticks(0, 100, 5, (v) => v.toFixed(0)),
    xLabel: quantity === "by_duration" ? "length of the video, s" : "length of the moment, s",
    yLabel: `${RUNS[0].primary}, %`,
  });
  const runs = lines.filter((line) => line.kind !== "floor");
  for (const line of lines) {
    for (const bar of line.plots[quantity]) {
      const at = lows.indexOf(bar.low);
      if (line.kind === "floor") levelMark(chart, at + 0.15, at + 0.85, bar.score, "floor level");
      else intervalMark(chart, at + 0.5 + (runs.indexOf(line) - (runs.length - 1) / 2) * 0.22, bar.score, bar.interval, line.kind);
    }
  }
  const cell = (line, low) => {
    const bar = line.plots[quantity].find((candidate) => candidate.low === low);
    if (!bar) return DASH;
    const interval = line.kind === "floor" || !bar.interval ? "" : ` [${percent(bar.interval[0])}, ${percent(bar.interval[1])}]`;
    return `${percent(bar.score)}${interval} (${bar.n})`;
  };
  const sentences = runs.map((line) => {
    const bars = line.plots[quantity];
    return `${line.name}: ${percent(bars[0].score)} for the shortest, ${percent(bars.at(-1).score)} for the longest.`;
  });
  const title = quantity === "by_duration" ? "Score by length of the video" : "Score by length of the moment";
  return figure(
    title,
    chart.root,
    `${sentences.join(" ")} Bars: 95 % intervals over videos.${lines.length > runs.length ? " Dashes: the blind predictor." : ""}`,
    ["length", ...lines.map((line) => line.name)],
    lows.map((low, k) => [names[k], ...lines.map((line) => cell(line, low))]),
  );
}

function brief(value) {
  return value >= 20 ? value.toFixed(0) : value.toFixed(1);
}
