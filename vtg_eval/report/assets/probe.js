// The probes: whether the answers move as the videos do.

function drawProbes() {
  const section = byId("probe");
  const link = byId("probe-link");
  section.hidden = link.hidden = !PAGE.probes.length;
  put(
    "probe-body",
    ...PAGE.probes.flatMap((part) => [
      RUNS.length > 1 ? el("h3", {}, runLabel(part.run)) : null,
      ...part.tables.flatMap((one, k) => [
        el(RUNS.length > 1 ? "h4" : "h3", {}, one.title),
        probeTable(one),
        k || !part.bars.length ? null : movedStrips(part),
        ...one.remarks.map((text) => el("p", { class: "muted" }, text)),
      ]),
      ...part.remarks.map((text) => el("p", { class: "muted" }, text)),
    ]),
  );
}

function probeTable(one) {
  const rows = one.rows.map(([name, ...cells]) => row(foreign(name), cells.map((text) => numberCell(text))));
  return table(one.title, one.heads, rows);
}

// Each transformation from 0 to 100: the answers that moved, with their interval, and the blind ones.
function movedStrips(part) {
  const letter = LETTERS[part.run];
  const rows = part.bars.map((bar) => {
    const track = el("div", { class: "strip" });
    track.append(position(el("i", { class: "tick floor", title: `blind ${percent(bar.blind)}` }), bar.blind / 100, bar.blind / 100));
    if (bar.moved !== null) {
      track.append(
        position(el("i", { class: `range ${letter}` }), (bar.low ?? bar.moved) / 100, (bar.high ?? bar.moved) / 100),
        position(el("i", { class: `dot ${letter}`, title: `moved ${percent(bar.moved)}` }), bar.moved / 100, bar.moved / 100),
      );
    }
    return el("div", { class: "strip-row" }, el("span", { class: "strip-name" }, bar.name), track);
  });
  const key = el("p", { class: "muted key" }, el("i", { class: "key-range" }), "moved, with interval", el("i", { class: "key-floor" }), "blind");
  return el("div", { class: "strips changes", "aria-hidden": "true" }, ...rows, key);
}
