// The tables: scores, protocols, failures, groups, metadata.

function drawHead() {
  const names = RUNS.map((run) => run.model).join(" and ");
  const title = `${names} on ${PAGE.task} ${PAGE.split}`;
  document.title = `${title} ${DASH} vtg-eval`;
  put("title", foreign(title));
  put("subtitle", foreign(PAGE.title));
  put(
    "legend",
    ...RUNS.map((run, k) =>
      el(
        "li",
        {},
        el("strong", {}, runLabel(k)),
        ` ${run.protocol}, ${count(run.n_expected, "sample")} on ${count(run.n_videos, "video")}`,
      ),
    ),
  );
  const subsets = RUNS.flatMap((run, k) => (run.subset ? [`${runName(k)}: ${run.subset}`] : []));
  put(
    "warnings",
    ...[...subsets, ...PAGE.warnings].map((text) => el("p", { class: "warning" }, text)),
  );
}

function drawScores() {
  const rows = RUNS.map((run, k) =>
    row(
      runLabel(k),
      run.score.values.map((value, m) => scoreCell(value, run.score.intervals[m])),
      { class: "own" },
    ),
  );
  for (const line of references()) {
    rows.push(
      row(
        el("span", {}, sign(line.kind), foreign(line.name)),
        line.values.map((value) => numberCell(percent(value), " ", el("span", { class: "interval" }))),
        { class: "reference" },
      ),
    );
  }
  const scored = RUNS.map((run, k) => {
    const prefix = RUNS.length > 1 ? `${runName(k)}: ` : "";
    return `${prefix}${run.n_scored} of ${count(run.n_expected, "sample")} in the denominator`;
  });
  put(
    "scores-body",
    el("p", { class: "muted" }, `Percent; in brackets 95 % intervals over videos. ${scored.join("; ")}.`),
    table("Scores with intervals, floors and ceiling", [el("span", { class: "hidden" }, "run, floor or ceiling"), ...PAGE.metrics], rows),
    strips(),
  );
}

function scoreCell(value, interval) {
  const complete = interval && interval[0] !== null && interval[1] !== null;
  const range = complete ? `[${percent(interval[0])}, ${percent(interval[1])}]` : "";
  return numberCell(el("b", {}, percent(value)), " ", el("span", { class: "interval" }, range));
}

// Floors, then ceilings. One that both runs share has one row, any other names its run.
function references() {
  const floors = (run) => run.floors.map((line) => ({ ...line, kind: "floor", name: `floor: ${line.name}` }));
  const ceiling = (run) => (run.ceiling ? [{ ...run.ceiling, kind: "ceiling" }] : []);
  return [floors, ceiling].flatMap((lines) => {
    const byRun = RUNS.map(lines);
    const same = (a, b) => a.name === b.name && String(a.values) === String(b.values);
    const shared = (line) => byRun.every((run) => run.some((other) => same(line, other)));
    return byRun.flatMap((run, k) =>
      run.flatMap((line) => {
        if (shared(line)) return k ? [] : [line];
        return [{ ...line, name: `${line.name} (${runName(k)})` }];
      }),
    );
  });
}

// Each metric from 0 to 100: the runs with intervals, the floors and the ceiling.
function strips() {
  const lines = references();
  const axis = el("div", { class: "strip-axis" }, ...[0, 25, 50, 75, 100].map((at) => position(el("span", {}, String(at)), at / 100, at / 100)));
  const rows = PAGE.metrics.map((name, m) => {
    const track = el("div", { class: "strip" });
    for (const line of lines) {
      const value = line.values[m];
      if (value === null || value === undefined) continue;
      track.append(position(el("i", { class: `tick ${line.kind}`, title: `${line.name} ${percent(value)}` }), value / 100, value / 100));
    }
    RUNS.forEach((run, k) => {
      const value = run.score.values[m];
      if (value === null || value === undefined) return;
      const [low, high] = run.score.intervals[m] || [value, value];
      track.append(
        position(el("i", { class: `range ${LETTERS[k]}` }), (low ?? value) / 100, (high ?? value) / 100),
        position(el("i", { class: `dot ${LETTERS[k]}`, title: `${runName(k)} ${percent(value)}` }), value / 100, value / 100),
      );
    });
    return el("div", { class: "strip-row" }, el("span", { class: "strip-name" }, name), track);
  });
  return el(
    "div",
    { class: "strips", "aria-hidden": "true" },
    ...rows,
    el("div", { class: "strip-row" }, el("span", {}), axis),
    el("p", { class: "muted key" }, el("i", { class: "key-range" }), "score with interval", el("i", { class: "key-floor" }), "blind floors", el("i", { class: "key-ceiling" }), "ceiling of the frames"),
  );
}

function drawProtocols() {
  put(
    "protocols-body",
    ...RUNS.flatMap((run, k) => [
      RUNS.length > 1 ? el("h3", {}, runLabel(k)) : null,
      run.scores_across_protocols.length ? protocolTable(run, k) : el("p", {}, "No other protocol is defined for this task."),
    ]),
  );
}

function protocolTable(run, k) {
  const main = PAGE.metrics.indexOf(run.primary);
  const rows = run.scores_across_protocols.map((line) => {
    const isRuns = line.protocol === run.protocol;
    const comparable = (line.values[main] ?? null) !== null && run.score.values[main] !== null;
    const change = comparable ? line.values[main] - run.score.values[main] : null;
    const changeText = change === null || isRuns ? "" : Math.abs(change) < 0.05 ? "0.0" : `${change < 0 ? "" : "+"}${fixed(change, 1)}`;
    return row(
      el("span", {}, line.protocol, isRuns ? el("span", { class: "chip" }, "this run's") : null),
      [
        numberCell(String(line.n_scored)),
        ...line.values.map((value) => numberCell(percent(value))),
        numberCell(el("span", { class: line.differs ? "differs" : "muted" }, changeText)),
        el("td", { class: "why" }, line.why.join("; ")),
      ],
      { class: isRuns ? "own" : line.differs ? null : "reference" },
    );
  });
  const heads = ["protocol", "scored", ...PAGE.metrics, `change of ${run.primary}`, el("span", {}, "because")];
  return table(`Protocols, ${runName(k)}`, heads, rows);
}

function drawFailures() {
  const kinds = [...new Set(RUNS.flatMap((run) => run.failures.map((line) => line.failure)))].sort((a, b) => a - b);
  if (!kinds.length) {
    put("failures-body", el("p", {}, "No answer has a failure."));
    return;
  }
  const rows = kinds.map((kind) =>
    row(failureName(kind), [
      ...RUNS.map((run, k) => {
        const n = run.failures.find((line) => line.failure === kind)?.n ?? 0;
        const bar = el("span", { class: `bar ${n ? LETTERS[k] : ""}`, "aria-hidden": "true" });
        bar.style.width = `${Math.min(100, (100 * n) / run.n_expected)}%`;
        return el(
          "td",
          { class: "number counted" },
          n ? button(String(n), () => showOnly({ failure: kind, run: RUNS.length > 1 ? k : "" }), { "aria-label": `${n} samples, show them` }) : el("span", {}, "0"),
          " ",
          el("span", { class: "interval" }, share(n, run.n_expected)),
          el("span", { class: "bar-box" }, bar),
        );
      }),
      el("td", { class: "why" }, PAGE.failures[kind].value),
    ]),
  );
  put(
    "failures-body",
    el("p", { class: "muted" }, "Samples with each kind of failure, and their share of all samples. A sample can have several."),
    table("Failures by kind", ["kind", ...RUNS.map((run, k) => runLabel(k)), el("span", {}, "meaning")], rows),
  );
}

function drawGroups() {
  const order = [...new Set(RUNS.flatMap((run) => run.groups.map((line) => line.group)))];
  const groupings = [...new Set(order.map((number) => PAGE.groups[number].grouping))];
  const parts = groupings.map((grouping) => groupTable(grouping, order.filter((n) => PAGE.groups[n].grouping === grouping)));
  const none = el("p", {}, "The benchmark has no groups.");
  put("groups-body", ...(parts.length ? parts : [none]));
}

function groupTable(grouping, members) {
  const two = RUNS.length > 1;
  const rows = members.flatMap((number) => groupRows(number, two));
  const heads = [grouping, ...(two ? [el("span", {}, "run")] : []), "samples", ...PAGE.metrics];
  const body = table(`Groups by ${grouping}`, heads, rows);
  if (members.length <= 12) return body;
  return el("details", {}, el("summary", {}, foreign(`${grouping} (${members.length} groups)`)), body);
}

function groupRows(number, two) {
  const lines = RUNS.map((run) => run.groups.find((line) => line.group === number));
  const height = lines.filter((line) => line).length;
  const name = button(PAGE.groups[number].name, () => showOnly({ group: number }), { class: "plain", title: "show these samples" });
  const rows = [];
  lines.forEach((line, k) => {
    if (!line) return;
    const head = rows.length ? [] : [el("th", { scope: "rowgroup", rowspan: height }, name)];
    const run = two ? [el("td", {}, mark(k), el("span", { class: "hidden" }, LETTERS[k].toUpperCase()))] : [];
    const figures = [String(line.n), ...line.values.map(percent)].map((text) => numberCell(text));
    rows.push(el("tr", { class: rows.length ? "same" : null }, ...head, ...run, ...figures));
  });
  return rows;
}

function drawFacts() {
  put(
    "metadata",
    ...RUNS.map((run, k) =>
      el(
        "details",
        {},
        el("summary", {}, runLabel(k)),
        el("dl", { class: "metadata" }, ...run.metadata.flatMap((fact) => [el("dt", {}, fact.name), foreign(fact.value, "dd")])),
      ),
    ),
  );
  byId("made-by").textContent = `Made by vtg-eval ${PAGE.version}. ${PAGE.pictures}`;
}
