// One sample in detail: query, timeline, pictures, and the answer of each run.

function drawDetail() {
  if (current < 0) {
    put("detail", el("p", { class: "muted" }, "No sample fits these filters."));
    return;
  }
  const sample = PAGE.samples[current];
  put(
    "detail",
    detailHead(sample),
    sample.options.length ? optionList(sample) : null,
    sample.asks_span ? timeline(current) : null,
    pictures(current),
    el("div", { class: "answers" }, ...RUNS.map((run, k) => answerCard(k, PAGE.answers[k][current], sample))),
  );
}

function detailHead(sample) {
  const at = shown.indexOf(current);
  const move = (by, text) => button(text, () => moveBy(by), { disabled: at + by < 0 || at + by >= shown.length });
  const groups = sample.groups.map((number) => PAGE.groups[number]);
  return el(
    "header",
    { class: "detail-head" },
    el("div", { class: "moves" }, move(-1, "Previous"), move(1, "Next"), button("Back to the list", () => byId("list").focus(), { class: "plain" })),
    el("h3", {}, foreign(sample.query)),
    el(
      "p",
      { class: "muted metadata-line" },
      el("a", { href: `#${addressOf(sample.id)}`, title: "link to this sample" }, foreign(sample.id)),
      el("span", {}, "video ", foreign(sample.video)),
      sample.duration === null ? null : el("span", {}, seconds(sample.duration)),
      ...groups.map((group) => el("span", {}, foreign(`${group.grouping}: ${group.name}`))),
    ),
  );
}

function moveBy(by) {
  const pressed = by < 0 ? 0 : 1;
  choose(shown[shown.indexOf(current) + by]);
  const buttons = byId("detail").querySelectorAll(".moves button");
  (buttons[pressed].disabled ? buttons[2] : buttons[pressed]).focus();
}

function optionList(sample) {
  const rows = sample.options.map((text, k) => {
    const letter = String.fromCharCode(65 + k);
    const right = letter === sample.choice;
    const by = RUNS.flatMap((run, r) => (PAGE.answers[r][current]?.choice === letter ? [mark(r), el("span", { class: "hidden" }, `chosen by ${runName(r)}`)] : []));
    return el("li", { class: right ? "right" : null }, el("b", {}, letter), foreign(text), right ? el("span", { class: "chip" }, "right") : null, ...by);
  });
  return el("ul", { class: "options", "aria-label": "Options" }, ...rows);
}

// A parsed answer in words.
function parsedText(answer) {
  const parts = [];
  if (answer.spans.length) parts.push(spanText(answer.spans[0]));
  else if (answer.absent) parts.push("never happens");
  if (answer.choice !== null) parts.push(answer.choice);
  return parts.join(", ") || "nothing";
}

function answerCard(k, answer, sample) {
  const title = el("h4", {}, runLabel(k));
  if (!answer) return el("section", { class: `answer ${LETTERS[k]}` }, title, el("p", { class: "muted" }, "This run does not have this sample."));
  const further = answer.spans.slice(1);
  const pairs = [
    ["parsed as", parsedText(answer)],
    further.length ? ["further spans", further.map(spanText).join(", ")] : null,
    answer.iou === null ? null : [sample.truth.length ? "IoU" : "answers never", fixed(answer.iou, 3)],
    ...PAGE.metrics.map((name, m) => (answer.values[m] === null ? null : [name, fixed(answer.values[m], 3)])),
    answer.error ? ["error", answer.error] : null,
  ];
  return el(
    "section",
    { class: `answer ${LETTERS[k]}` },
    title,
    el("dl", { class: "metadata" }, ...pairs.filter((pair) => pair).flatMap(([name, value]) => [el("dt", {}, name), foreign(value, "dd")])),
    answer.failures.length ? el("ul", { class: "wrong" }, ...answer.failures.map((kind) => el("li", {}, el("b", {}, failureName(kind)), ` ${PAGE.failures[kind].value}`))) : null,
    answer.text === "" ? el("p", { class: "muted" }, "No text.") : el("pre", { tabindex: "0", role: "group", "aria-label": `Answer of ${runName(k)}` }, answer.text),
    answer.cut ? el("p", { class: "muted" }, `${count(answer.cut, "character")} more in the run's journal.jsonl.`) : null,
  );
}

// Pictures at the start and end of truth and predictions.
function pictures(index) {
  const sample = PAGE.samples[index];
  if (!sample.pictures.length) {
    const reason = PAGE.images.length ? "There are no pictures of this sample." : PAGE.pictures;
    return sample.asks_span ? el("p", { class: "muted" }, reason) : null;
  }
  const spans = [
    ...sample.truth.slice(0, 2).map((span) => ["truth", "truth", el("span", { class: "run" }, sign("truth"), "truth"), span]),
    ...RUNS.flatMap((run, k) => (PAGE.answers[k][index]?.spans ?? []).slice(0, 1).map((span) => [LETTERS[k], runName(k), runLabel(k), span])),
  ];
  return el(
    "div",
    { class: "pictures", role: "group", "aria-label": "Pictures at the boundaries" },
    ...spans.map(([kind, name, label, [start, end]]) =>
      el("div", { class: `pair ${kind}` }, el("p", {}, label), picture(sample, name, start, "starts"), picture(sample, name, end, "ends")),
    ),
  );
}

function picture(sample, name, time, verb) {
  const match = sample.pictures.find((candidate) => candidate.time === time);
  if (!match) return null;
  const frame = `the frame at ${seconds(match.shown)}`;
  return el(
    "figure",
    {},
    el("img", { src: `data:image/jpeg;base64,${PAGE.images[match.image]}`, alt: `${name} ${verb}: ${frame}`, title: frame }),
    el("figcaption", {}, `${verb} ${seconds(time)}`),
  );
}
