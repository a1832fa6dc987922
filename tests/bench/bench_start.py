"""How long commands take to start, the interpreter included, with compiled modules.

python tests/bench/bench_start.py [REPEATS]
"""

import compileall
import statistics
import subprocess
import sys
import time
from importlib.util import find_spec

COMMANDS = (
    ("--help",),
    *((name, "--help") for name in ("run", "score", "compare", "probe", "report", "samples")),
    *((name, "--help") for name in ("data", "doctor", "merge", "leaderboard")),
    *((name,) for name in ("tasks", "protocols", "profiles", "plugins")),
    ("tasks", "charades_sta"),
    ("protocols", "show", "strict@2"),
)
COMPILED = (
    *("vtg_eval", "vtg_eval.tasks", "vtg_eval.model_adapters", "vtg_eval.leaderboard", "numpy"),
    *("av", "msgspec", "pluggy", "tabulate", "threadpoolctl", "tqdm", "typing_extensions"),
)
CODE = "import sys; from vtg_eval.cli import main; sys.exit(main(sys.argv[1:]))"


def compile_modules() -> None:
    """Compile what the commands may import, as an installation by pip does."""
    for name in COMPILED:
        spec = find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or ():
            compileall.compile_dir(folder, quiet=2)
        if spec and spec.origin:
            compileall.compile_file(spec.origin, quiet=2)


def seconds(arguments: tuple[str, ...]) -> float:
    """Return how long one start takes."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", CODE, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    repeats = int(sys.argv[1]) if sys.argv[1:] else 9
    compile_modules()
    times: dict[tuple[str, ...], list[float]] = {command: [] for command in COMMANDS}
    for _ in range(repeats):
        for command in COMMANDS:
            times[command].append(seconds(command))
    print(f"seconds from start to end: median and least of {repeats}, in turn")
    for command, took in times.items():
        print(f"{' '.join(command):24}{statistics.median(took):8.2f}{min(took):8.2f}")


if __name__ == "__main__":
    main()
