// Charts as SVG: a frame with axes, and the marks in it.

const CHART = { width: 360, height: 250, left: 42, right: 10, top: 10, bottom: 40 };

// A frame with a scale for each side. Ticks are [value, label]; x and y map values to px.
function frame({ xRange, yRange, xTicks, yTicks, xLabel, yLabel }) {
  const { width, height, left, right, top, bottom } = CHART;
  const x = (value) => left + ((value - xRange[0]) / (xRange[1] - xRange[0])) * (width - left - right);
  const y = (value) => height - bottom - ((value - yRange[0]) / (yRange[1] - yRange[0])) * (height - top - bottom);
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "img" });
  for (const [value, label] of yTicks) {
    root.append(
      svg("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }),
      svg("text", { class: "axis", x: left - 6, y: y(value) + 4, "text-anchor": "end" }, label),
    );
  }
  for (const [value, label] of xTicks) {
    root.append(svg("text", { class: "axis", x: x(value), y: height - bottom + 16, "text-anchor": "middle" }, label));
  }
  root.append(
    svg("line", { class: "base", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }),
    svg("text", { class: "label", x: (left + width - right) / 2, y: height - 6, "text-anchor": "middle" }, xLabel),
    svg("text", { class: "label", x: 12, y: (top + height - bottom) / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${(top + height - bottom) / 2})` }, yLabel),
  );
  return { root, x, y };
}

function lineMark({ root, x, y }, points, kind) {
  const path = points.map(([a, b], k) => `${k ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
  root.append(svg("path", { class: `line ${kind}`, d: path }));
}

function barMark({ root, x, y }, from, to, value, kind) {
  const top = y(value);
  root.append(svg("rect", { class: `fill ${kind}`, x: x(from), width: Math.max(0, x(to) - x(from)), y: top, height: y(0) - top }));
}

function levelMark({ root, x, y }, from, to, value, kind) {
  root.append(svg("line", { class: `line ${kind}`, x1: x(from), x2: x(to), y1: y(value), y2: y(value) }));
}

// Without an interval (too few videos) only the dot is drawn.
function intervalMark({ root, x, y }, at, value, interval, kind) {
  if (interval) {
    const [low, high] = interval;
    root.append(svg("line", { class: `whisker ${kind}`, x1: x(at), x2: x(at), y1: y(low), y2: y(high) }));
  }
  root.append(dotShape(x(at), y(value), 4, kind));
}

// Run B's dots are squares, so that the runs differ without colour.
function dotShape(x, y, r, kind) {
  if (kind === "b") return svg("rect", { class: `point ${kind}`, x: x - r * 0.9, y: y - r * 0.9, width: r * 1.8, height: r * 1.8 });
  return svg("circle", { class: `point ${kind}`, cx: x, cy: y, r });
}

function ticks(low, high, steps, write) {
  return Array.from({ length: steps + 1 }, (_, k) => {
    const value = low + ((high - low) * k) / steps;
    return [value, write(value)];
  });
}

// A figure: heading, drawing, a summary sentence, and its numbers as a table.
function figure(title, drawing, summary, heads, rows) {
  const id = `plot-${title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}`;
  drawing.setAttribute("aria-labelledby", `${id}-title`);
  drawing.setAttribute("aria-describedby", `${id}-summary`);
  const cells = (line) => line.slice(1).map((cell) => numberCell(cell));
  return el(
    "figure",
    { id, class: "plot" },
    el("h3", { id: `${id}-title` }, title),
    drawing,
    el("figcaption", { id: `${id}-summary` }, foreign(summary)),
    el("details", {}, el("summary", {}, "Numbers", el("span", { class: "hidden" }, ` of ${title}`)), table(title, heads, rows.map((line) => row(line[0], cells(line))))),
  );
}
