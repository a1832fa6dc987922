"""Answers made from a seed, each with what is right to read in it.

A form makes endless answers of one kind. Its outcome is RIGHT_VALUE, or the failure that an answer
without a readable span or option ends in. tests/robustness and tests/bench take the same forms.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from random import Random

from tests.robustness.case import RIGHT_VALUE, Case

OPTIONS = ("Red car", "A blue bus", "Green bike", "None of the above")
CONNECTORS = {
    "hyphens": (" - ", "-", "‐", "‑", "−", "﹣", "－", " -- ", " --- "),
    "dashes": (" – ", "–", " — ", "—", "‒", "―", "﹘", "——"),
    "arrows": (" → ", "→", " -> ", "->", " --> ", " => ", " ⇒ ", " ➔ ", " ⟶ ", " ➜ ", " \\to "),
    "tildes": ("~", "～", " ~ ", "〜"),
    "words": (
        " to ",
        " until ",
        " till ",
        " through ",
        " up to ",
        " bis ",
        "到",
        "至",
        " und ",
        " and ",
    ),
}
ALL_CONNECTORS = tuple(chain.from_iterable(CONNECTORS.values()))
SECONDS = ("", "s", " s", " sec", " secs", " seconds", " Seconds", "秒", " 秒", " sec.")
MARK_UPS = ("{}", "**{}**", "*{}*", "`{}`", "<{}>", "<time>{}</time>", "${}$", '"{}"', "_{}_")
APPROXIMATIONS = ("", "", "about ", "approximately ", "around ", "roughly ", "approx. ", "t=", "≈")
WRAPPINGS = (
    *("{}", "{}", "{}.", "The event happens from {}.", "Answer: {}", "> {}", "- {}", "{}\n"),
    *("<answer>{}</answer>", "<think>from 1 to 2</think>{}", "\\boxed{{{}}}", "```\n{}\n```"),
    *("[THINK]1 to 2[/THINK]{}", "◁think▷frames 1-2◁/think▷{}", "It is **{}**"),
    *("<thinking>1-2</thinking>\n\n{}", "<|begin_of_box|>{}<|end_of_box|>", "Event: {}"),
    *("<|begin_of_thought|>1 - 2<|end_of_thought|>{}", "3 - 4</think>{}", "Final answer: {}"),
)
OTHER_UNITS = {
    "frames": (
        " frames",
        " frame",
        "帧",
        " Bilder",
        " images",
        " fps",
        " (frames)",
        " frame numbers",
    ),
    "milliseconds": ("ms", " ms", " msec", " milliseconds", "毫秒", " Millisekunden", " millis"),
    "percentages": ("%", " %", " percent", " per cent", " percentage", " Prozent", " pct", "\\%"),
    "minutes": (" minutes", " mins", " min", " minute", "m", "分钟", " Minuten", " (minutes)"),
    "hours": (" hours", " hrs", "h", " hour", "小时", " Stunden", " heures"),
}
UNIT_NAMES = {
    "frames": ("frame", "frames", "frame number", "frame index", "Frame no.", "frame #", "Bild"),
    "milliseconds": ("ms", "milliseconds", "msec", "Millisekunden", "MS"),
    "percentages": ("percent", "percentage", "%", "per cent", "Prozent", "Percentages"),
    "minutes": ("minute", "minutes", "Minuten", "min", "Minute"),
    "hours": ("hour", "hours", "Stunden", "hrs"),
}
KEYS = {
    "frames": ("frame", "frames", "frame_no", "frame_index"),
    "milliseconds": ("ms", "msec", "millis", "milliseconds"),
    "percentages": ("percent", "pct", "percentage", "fraction", "ratio"),
    "minutes": ("minute", "min", "minutes"),
    "hours": ("hour", "hours"),
}
ITEMS = (
    *("Event {n}: {}", "Event {n} - {}", "{n}. {}", "{n}) {}", "({n}) {}", "Scene {n}: {}"),
    *("Scene {n} - {}", "#{n} - {}", "#{n}: {}", "Step {n} - {}", "No. {n}: {}", "No. {n} - {}"),
    *("Interval {n}: {}", "Segment {n} - {}", "[{n}] {}", "事件{n}：{}", "Clip {n}, {}", "{n}: {}"),
)
COUNTED = ("people", "cars", "times", "dogs", "men", "steps", "objects", "jumps", "个人", "次")


@dataclass(frozen=True, slots=True)
class Answer:
    """A text and what it says: a span, a letter, or None where nothing is to be read."""

    text: str
    right: tuple[float, float] | str | None


Make = Callable[[Random], Answer]


@dataclass(frozen=True, slots=True)
class Form(Case):
    """A case whose answers `make` draws. asks_letter: an option is asked for, not a span."""

    make: Make
    asks_letter: bool = False


def times(draw: Random) -> tuple[str, str, tuple[float, float]]:
    """Draw a start and a later end in seconds, as text and as numbers."""
    decimals = draw.choice((1, 1, 2, 3))
    start = draw.choice((draw.uniform(0, 60), draw.uniform(0, 4000)))
    texts = [f"{t:.{decimals}f}" for t in (start, start + draw.uniform(1, 200))]
    return texts[0], texts[1], (float(texts[0]), float(texts[1]))


def whole(draw: Random) -> tuple[int, int]:
    """Draw two ascending whole numbers."""
    first = draw.randrange(1, 90)
    return first, first + draw.randrange(1, 60)


def clock(time: float, hours: bool, decimals: int) -> str:
    """Return seconds as mm:ss or h:mm:ss."""
    minutes, seconds = divmod(time, 60)
    tail = f"{seconds:0{3 + decimals if decimals else 2}.{decimals}f}"
    if hours:
        return f"{int(minutes) // 60:02d}:{int(minutes) % 60:02d}:{tail}"
    return f"{int(minutes):02d}:{tail}"


def _joined(connectors: tuple[str, ...]) -> Make:
    def make(draw: Random) -> Answer:
        start, end, span = times(draw)
        unit, mark_up = draw.choice(SECONDS), draw.choice(MARK_UPS)
        approximate = draw.choice(APPROXIMATIONS)
        first = mark_up.format(start + draw.choice((unit, "")))
        second = mark_up.format(end + unit)
        text = f"{approximate}{first}{draw.choice(connectors)}{approximate}{second}"
        return Answer(draw.choice(WRAPPINGS).format(text), span)

    return make


def _template(*templates: str) -> Make:
    def make(draw: Random) -> Answer:
        start, end, span = times(draw)
        body = draw.choice(templates).replace("{a}", start).replace("{b}", end)
        return Answer(body, span)

    return make


def _clock(draw: Random) -> Answer:
    hours, decimals = draw.random() < 0.4, draw.choice((0, 0, 1, 3))
    limit = 7200 if hours else 3000
    start = round(draw.uniform(0, limit), decimals)
    end = round(start + draw.uniform(1, 100), decimals)
    shown = [clock(time, hours, decimals) for time in (start, end)]
    if any(":60" in text for text in shown):
        return _clock(draw)
    text = draw.choice(ALL_CONNECTORS).join(shown)
    return Answer(draw.choice(WRAPPINGS).format(text), (start, end))


def _minutes(draw: Random) -> Answer:
    start = draw.randrange(1, 3000)
    end = start + draw.randrange(1, 500)
    form = draw.choice(
        (
            "{m} min {s} s",
            "{m}m{s}s",
            "{m} minutes {s} seconds",
            "{m} minutes and {s} seconds",
            "{m}分{s}秒",
            "{m}m {s}s",
            "{m} min, {s} sec",
        )
    )
    shown = [form.format(m=time // 60, s=time % 60) for time in (start, end)]
    return Answer(draw.choice((" to ", " - ", " until ", " → ")).join(shown), (start, end))


def _aside(draw: Random) -> Answer:
    start, end, span = times(draw)
    first, second = (f"{draw.uniform(0, 100):.0f}" for _ in range(2))
    form = draw.choice(("({}%)", "(frame {})", "({} frames)", "({} ms)", "[frame {}]", "({} %)"))
    unit = draw.choice((" s", "s", " seconds", ""))
    connector = draw.choice((" to ", " - ", " -> "))
    text = f"{start}{unit} {form.format(first)}{connector}{end}{unit} {form.format(second)}"
    return Answer(text, span)


def _item(draw: Random) -> Answer:
    start, end, span = times(draw)
    unit = draw.choice(("s", " s", " seconds", ""))
    text = f"{start}{unit}{draw.choice((' - ', ' to ', '-', ' → '))}{end}{unit}"
    return Answer(draw.choice(ITEMS).replace("{n}", str(draw.randrange(1, 10))).format(text), span)


def _json(draw: Random) -> Answer:
    start, end, span = times(draw)
    names = draw.choice((("start", "end"), ("start_time", "end_time"), ("begin", "end")))
    names = draw.choice((names, ("startTime", "endTime"), ("start_sec", "end_sec")))
    quote = draw.choice(("", '"'))
    pairs = [f'"{names[0]}": {quote}{start}{quote}', f'"{names[1]}": {quote}{end}{quote}']
    for extra in ('"confidence": 0.9', '"duration": 5', '"id": 3', '"label": "a man"'):
        if draw.random() < 0.3:
            pairs.insert(draw.randrange(len(pairs) + 1), extra)
    text = "{" + draw.choice((", ", ",\n  ")).join(pairs) + "}"
    return Answer(
        draw.choice(("{}", "```json\n{}\n```", "[{}]", '{{"result": {}}}')).format(text), span
    )


def _table(draw: Random) -> Answer:
    start, end, span = times(draw)
    head = draw.choice((("Start", "End"), ("Start (s)", "End (s)"), ("start time", "end time")))
    before = draw.choice(("", "Event | ", "# | "))
    cell = {"": "", "Event | ": "a man runs | ", "# | ": "1 | "}[before]
    return Answer(
        f"| {before}{head[0]} | {head[1]} |\n|---|---|---|\n| {cell}{start} | {end} |", span
    )


def _other_after(units: tuple[str, ...]) -> Make:
    def make(draw: Random) -> Answer:
        first, second = whole(draw)
        unit = draw.choice(units)
        text = f"{first}{draw.choice((unit, ''))}{draw.choice(ALL_CONNECTORS)}{second}{unit}"
        return Answer(draw.choice(WRAPPINGS).format(text), None)

    return make


def _other_before(names: tuple[str, ...]) -> Make:
    forms = (
        *("{u} {a}{c}{b}", "{u} {a}{c}{u} {b}", "{u}: {a}{c}{b}", "from {u} {a}{c}{b}"),
        *("Time in {u}: {a}{c}{b}", "start ({u}): {a}, end ({u}): {b}", "{u}: [{a}, {b}]"),
        *("between {u} {a} and {b}", "The answer in {u} is {a}{c}{b}", "{a}{c}{b} ({u})"),
        *("{u}: {a}{c}{b}, {b}{c}{d}", "{a}{c}{b}, in {u}", "{u}:\n- {a}{c}{b}\n- {b}{c}{d}"),
    )
    return _of(forms, names)


def _other_key(keys: tuple[str, ...]) -> Make:
    forms = (
        *('{{"start_{u}": {a}, "end_{u}": {b}}}', '{{"{u}_start": {a}, "{u}_end": {b}}}'),
        *('{{"start{U}": {a}, "end{U}": {b}}}', '{{"unit": "{u}", "start": {a}, "end": {b}}}'),
        *('{{"start": {a}, "end": {b}, "unit": "{u}"}}', "start_{u}: {a}\nend_{u}: {b}"),
        *("| Start {u} | End {u} |\n|---|---|\n| {a} | {b} |", '{{"{u}": [{a}, {b}]}}'),
        *("<start_{u}>{a}</start_{u}> <end_{u}>{b}</end_{u}>", '{{"start": {{"{u}": {a}}}}}'),
    )
    return _of(forms, keys)


def _of(forms: tuple[str, ...], names: tuple[str, ...]) -> Make:
    """Return what draws a form with the name of a unit, whole numbers and a connector in it."""

    def make(draw: Random) -> Answer:
        first, second = whole(draw)
        name, connector = draw.choice(names), draw.choice(ALL_CONNECTORS)
        text = draw.choice(forms).format(
            u=name, U=name.title(), a=first, b=second, c=connector, d=second + 9
        )
        return Answer(text, None)

    return make


def _counted(draw: Random) -> Answer:
    first, second = whole(draw)
    form = draw.choice(("{a}-{b} {n}", "{a} to {b} {n}", "between {a} and {b} {n}", "{a}–{b} {n}"))
    return Answer(form.format(a=first, b=second, n=draw.choice(COUNTED)), None)


def _not_times(draw: Random) -> Answer:
    first, second = whole(draw)
    form = draw.choice(
        (
            "confidence 0.{a}-0.{b}",
            "score: 0.{a} - 0.{b}",
            "20{a:02d}-05-1{d}",
            "May {a}-{b}",
            "ages {a}-{b}",
            "resolution {a}0-{b}0",
            "lasts {a} to {b} seconds",
            "aged {a} to {b}",
            "pages {a}-{b}",
            "{a}-{b} seconds long",
            "{a} - {b} - {a}",
            "Events {a} to {b}",
            "scenes {a} and {b}",
            "{a}, {b}",
            "{a}/{b}",
            "version {a}.{b}",
            "0.{a}-0.{b} confidence",
            "{a} seconds",
            "at {a} s",
            "the {a}th and {b}th",
            "0.{a} to 0.{b} of the video",
        )
    )
    return Answer(form.format(a=first, b=second, d=draw.randrange(10)), None)


LETTER_FORMS = {
    "a letter alone": (
        "{}",
        "({})",
        "**{}**",
        "{}.",
        "{})",
        "[{}]",
        "`{}`",
        '"{}"',
        "{}\n",
        "【{}】",
    ),
    "a letter in LaTeX": (
        "\\boxed{{{}}}",
        "\\boxed{{\\mathrm{{{}}}}}",
        "$\\mathbf{{{}}}$",
        "\\({}\\)",
        "$\\boxed{{\\text{{({})}}}}$",
        "Final answer: $\\boxed{{{}}}$",
    ),
    "a letter in marks": (
        "<answer>{}</answer>",
        "<|begin_of_box|>{}<|end_of_box|>",
        "<b>{}</b>",
        "<option>{}</option>",
        "<answer>\\boxed{{{}}}</answer>",
        "✅ {}",
        "> {}",
        "- **{}**",
    ),
    "a letter after a noun": (
        "Answer: {}",
        "Ans: {}",
        "Option {}",
        "The answer is {}.",
        "answer: ({})",
        "The correct option is **{}**.",
        "Final Answer: {}",
        "My answer is: {}",
        "Ans. {}",
        "The answer is most likely {}.",
        "Antwort: {}",
        "La réponse est {}.",
        "Respuesta: {}",
    ),
    "a letter with a verdict": (
        "{} is the answer",
        "{} is correct.",
        "{} is the best choice.",
        "Option {} is right.",
        "{} must be the correct answer.",
        "The others are wrong, {} is correct",
    ),
    "a letter at the end of a clause": (
        "The bus is blue, so {}.",
        "Therefore, {}.",
        "It is {}.",
        "I'd go with {}.",
        "I would say {}.",
        "Thus ({})",
        "I choose {}",
        "which matches option {}.",
    ),
    "a letter in Chinese": (
        "选{}",
        "答案是{}",
        "答案：{}",
        "我选{}。",
        "正确答案是{}",
        "故选{}",
        "选择{}",
    ),
    "a letter in JSON": (
        '{{"answer": "{}"}}',
        '{{"choice": "{}", "score": 1}}',
        '```json\n{{"final_answer": "{}"}}\n```',
        '{{"result": {{"option": "{}"}}}}',
    ),
    "a letter after thoughts": (
        "<think>A or C</think>{}",
        "[THINK]A[/THINK]\n{}",
        "C.</think>\n{}",
        "◁think▷(C)◁/think▷{}",
        "<reasoning>A</reasoning>\n\nAnswer: {}",
    ),
    "a letter and a span": ("{}, 12.5 - 20.3", "({}) 5.0 to 9.5", "Answer: {}, from 5 to 10"),
}
NO_LETTER_FORMS = {
    "a letter denied": (
        "not {}",
        "{} is wrong",
        "The answer is not {}",
        "{} is not the answer",
        "I don't think {} is correct",
        "The answer isn't {}",
        "I would not go with {}.",
        "不选{}",
    ),
    "a letter in passing": (
        "Vitamin {} is good",
        "Plan {}",
        "Is {} the answer?",
        "Group {} wins",
        "the {}-side",
        "because of {}",
        "Team {} against a blue team",
    ),
}
TWO_LETTER_FORMS = (
    *(
        "{} or {}",
        "{}, {}",
        "{}/{}",
        "The answer is {} or {}.",
        "({}) and ({})",
        "Answer: {}; answer: {}",
    ),
    *("{}\n{}", "<answer>{} or {}</answer>", "\\boxed{{{}, {}}}", "It is ({}). No, ({})."),
)


def _letter(templates: tuple[str, ...], right: bool) -> Make:
    def make(draw: Random) -> Answer:
        letter = draw.choice("BCD" if not right else "ABCD")
        return Answer(draw.choice(templates).format(letter), letter if right else None)

    return make


def _two_letters(draw: Random) -> Answer:
    first, second = draw.sample("ABCD", 2)
    return Answer(draw.choice(TWO_LETTER_FORMS).format(first, second), None)


def _option_text(draw: Random) -> Answer:
    number = draw.randrange(len(OPTIONS))
    form = draw.choice(
        (
            "{t}",
            "{l}. {t}",
            "({l}) {t}",
            "{l}: {t}",
            "{l} {t}",
            "The answer is {l}: {t}.",
            "{t}.",
            "Answer: ({l}) {t}",
            "**{l}. {t}**",
            "{l}) {t}\nBecause of the rest.",
        )
    )
    letter = "ABCD"[number]
    return Answer(form.format(l=letter, t=OPTIONS[number]), letter)


def _spans(name: str, make: Make, outcome: str = RIGHT_VALUE) -> Form:
    return Form(name, outcome, make)


def _each(kind: str, templates: dict[str, tuple[str, ...]]) -> Iterator[Form]:
    for name, forms in templates.items():
        yield Form(f"{kind}: {name}", RIGHT_VALUE, _template(*forms))


TEMPLATES = {
    "brackets": (
        "[{a}, {b}]",
        "({a}, {b})",
        "[[{a}, {b}]]",
        "[{a}; {b}]",
        '["{a}", "{b}"]',
        "[{a},{b}]",
    ),
    "named start and end": (
        "start: {a}\nend: {b}",
        "Start: {a} s; End: {b} s",
        "[start: {a}, end: {b}]",
        "The event starts at {a} and ends at {b}.",
        "starts at {a} seconds and ends at {b} seconds",
    ),
    "named first": ("(start, end) = ({a}, {b})", "start and end: {a}, {b}", "start/end: {a}/{b}"),
    "named after": (
        "{a}s (start) to {b}s (end)",
        "{a} (start) - {b} (end)",
        "{a}秒开始，{b}秒结束",
    ),
    "end first": ('{"end": {b}, "start": {a}}', "end: {b}, start: {a}"),
    "tags": (
        "<start>{a}</start><end>{b}</end>",
        "<time>{a} - {b}</time>",
        "<time>{a}</time> to <time>{b}</time>",
        "<start_time>{a}</start_time>\n<end_time>{b}</end_time>",
        "<span>{a} - {b}</span>",
    ),
    "stamps": (
        "<{a} seconds> to <{b} seconds>",
        "from <{a} seconds> to <{b} seconds>",
        "<{a}s> - <{b}s>",
    ),
    "LaTeX": (
        "$[{a}, {b}]$",
        "${a} \\to {b}$",
        "\\boxed{{a} - {b}}",
        "\\boxed{{a}} to \\boxed{{b}}",
        "$ {a}\\,\\mathrm{s} \\rightarrow {b}\\,\\mathrm{s}$",
        "${a}\\text{ s} - {b}\\text{ s}$",
    ),
    "between": (
        "between {a} and {b} seconds",
        "between {a}s and approximately {b}s",
        "between {a} and {b}",
    ),
    "Chinese": (
        "从{a}秒到{b}秒",
        "第{a}秒至第{b}秒",
        "在{a}秒到{b}秒之间",
        "{a}秒-{b}秒",
        "大约{a}秒到{b}秒",
        "从第{a}秒开始，到第{b}秒结束",
        "开始时间：{a}秒，结束时间：{b}秒",
        "{a}秒から{b}秒まで",
    ),
    "German and French": (
        "von {a} bis {b} Sekunden",
        "de {a} à {b} secondes",
        "zwischen {a} und {b} Sekunden",
        "entre {a} et {b} secondes",
    ),
    "words around": (
        "From {a} to {b}, a man opens the door",
        "{a} to {b} when the man runs",
        "A man walks into the frame from {a} to {b}",
        "I am 90% sure: {a} to {b}",
        "The 2 people start at {a} and end at {b}",
        "With 3 people, {a} to {b}",
    ),
    "second": (
        "From second {a} to second {b}",
        "seconds {a}-{b}",
        "from the {a} second mark to the {b} second mark",
    ),
    "entities": (
        "{a}&ndash;{b}",
        "{a}&nbsp;s &rarr; {b}&nbsp;s",
        "&lt;{a} seconds&gt; to &lt;{b} seconds&gt;",
        '{"time": "{a} \\u2013 {b}"}',
    ),
    "several spans": (
        "{a} to {b}, 8000 to 9000",
        "{a} - {b} and 8000 - 9000",
        "[[{a}, {b}], [8000, 9000]]",
        "<time>{a} - {b} seconds</time> <time>8000 - 9000 seconds</time>",
        "{a}-{b}; 8000-9000",
    ),
    "an answer after another": (
        "<answer>1 to 2</answer><answer>{a} to {b}</answer>",
        "First 1 to 2, then \\boxed{{a} - {b}}",
        "1 - 2\n<answer>{a} - {b}</answer>",
    ),
    "with a letter": ("B, {a} - {b}", "(B) {a} to {b}", "{a} - {b} B", "Answer: B\n{a} - {b}"),
    "another unit named elsewhere": (
        "{a} - {b} seconds (frames 12-24)",
        "frames 12-24 ({a} - {b} seconds)",
        "frame 12 ({a} s) to frame 24 ({b} s)",
        "20% ({a}s) to 40% ({b}s)",
        "at 2 fps, from {a} to {b}",
    ),
    "decimal full width": ("{a}－{b}", "{a}　～　{b}", "（{a}, {b}）"),
}
FORMS = (
    *(_spans(f"times joined by {kind}", _joined(signs)) for kind, signs in CONNECTORS.items()),
    _spans("clocks", _clock),
    _spans("minutes with seconds", _minutes),
    _spans("another unit in brackets", _aside),
    _spans("an item of a list", _item),
    _spans("JSON", _json),
    _spans("a table", _table),
    *_each("times", TEMPLATES),
    *(
        _spans(f"{kind} {place}", make(names[kind]), "unparsed")
        for place, make, names in (
            ("after the numbers", _other_after, OTHER_UNITS),
            ("before the numbers", _other_before, UNIT_NAMES),
            ("in keys", _other_key, KEYS),
        )
        for kind in OTHER_UNITS
    ),
    _spans("counts", _counted, "unparsed"),
    _spans("numbers that are no times", _not_times, "unparsed"),
    *(Form(name, RIGHT_VALUE, _letter(forms, True), True) for name, forms in LETTER_FORMS.items()),
    *(
        Form(name, "unparsed", _letter(forms, False), True)
        for name, forms in NO_LETTER_FORMS.items()
    ),
    Form("the text of an option", RIGHT_VALUE, _option_text, True),
    Form("two letters", "ambiguous", _two_letters, True),
)


def mutated(draw: Random) -> tuple[str, tuple[str, ...]]:
    """Return an answer with pieces cut out, doubled, swapped or replaced by signs."""
    text = draw.choice(FORMS).make(draw).text
    for _ in range(draw.randrange(1, 6)):
        at, to = sorted(draw.randrange(len(text) + 1) for _ in range(2))
        piece = draw.choice((text[at:to] * 2, "", text[at:to][::-1], draw.choice(SIGNS)))
        text = text[:at] + piece + text[to:]
    return text, OPTIONS


SIGNS = (
    *("-", "1", "9" * 400, ":", ".", ",", "[", "]", "(", ")", "|", "\n", "<", ">", "<think>", "\\"),
    *(
        "</answer>",
        "\\boxed{",
        "\ud800",
        "\x00",
        "٣",
        "秒",
        "frame",
        "s",
        "e5",
        "~",
        "→",
        "第",
        "%",
    ),
)
