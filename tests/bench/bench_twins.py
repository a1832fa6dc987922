"""How long the miniature of each recipe takes, stage by stage, and its scores. By hand:

OMP_NUM_THREADS=1 python tests/bench/bench_twins.py [NAME …]

Without names all shipped miniatures are run, one after the other, each as `vtg-train run` in a
temporary folder.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tabulate import tabulate
from vtg_eval.training.shipped import shipped_recipes

BEGINS = re.compile(r"vtg-train: ([a-z]+)(?:-\d+)? …\n")  # a stage, of any round


def main() -> None:
    names = sys.argv[1:] or [name for name in shipped_recipes() if name.startswith("nano-")]
    rows = []
    for name in names:
        with tempfile.TemporaryDirectory() as out:
            seconds = stage_seconds(name, Path(out))
            rows.append({"recipe": name, **seconds, **scores(Path(out))})
        print(rows[-1], file=sys.stderr)
    print(tabulate(rows, headers="keys", tablefmt="pipe", missingval="-", floatfmt=".1f"))


def stage_seconds(name: str, out: Path) -> dict[str, int]:
    """Run a recipe; return the seconds of each stage, from its first line to that of the next.

    The rounds of a stage are added up.
    """
    run = [sys.executable, "-m", "vtg_eval.training.cli", "run", name, "--out", str(out / "run")]
    begun: list[tuple[str, float]] = []
    pipe = subprocess.PIPE
    with subprocess.Popen(run, stdout=subprocess.DEVNULL, stderr=pipe, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if begins := BEGINS.fullmatch(line):
                begun.append((begins[1], time.perf_counter()))
    begun.append(("end", time.perf_counter()))
    if process.returncode:
        raise SystemExit(f"{name} ended with status {process.returncode}")
    seconds: Counter[str] = Counter()
    for (stage, start), (_, end) in pairwise(begun):
        seconds[stage] += round(end - start)
    return dict(seconds)


def scores(out: Path) -> dict[str, float]:
    """Return the primary metric of the start checkpoint and of the trained one."""
    values = {}
    for checkpoint in ("start", "trained"):
        (path,) = out.glob(f"run/evaluation/{checkpoint}/*/results.json")
        results = json.loads(path.read_text(encoding="utf-8"))
        values[f"{results['primary']}, {checkpoint}"] = results["metrics"][results["primary"]]
    return values


if __name__ == "__main__":
    main()
