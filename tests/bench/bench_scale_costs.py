"""What one video, one sample and one record cost, for `docs/scale.md`.

OMP_NUM_THREADS=1 python tests/bench/bench_scale_costs.py [--parts decode run journal pool …]

decode: frames of an hour of generated H.264 at 1280 x 720 px, 2.5 Mbit/s, 25 frames a second, by
one thread. run: the parent's memory, the time of leases. journal: records with 768 frame times,
written and read. pool: samples a second through real worker processes that do nothing.
resampling: the intervals of a score. Times are the processor's but for `pool`. Takes 7 minutes of
a core, most of them for `decode`.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
from tabulate import tabulate

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.scale.hour import HEIGHT, WIDTH, write_hour
from tests.bench.scale.workload import Costs, make_workload
from tests.run.test_leases import make_jobs
from tests.run.test_worker_pool import Naming
from vtg_eval.failures import Finish
from vtg_eval.model_input.smart_resize import frame_size
from vtg_eval.protocol import FrameRule
from vtg_eval.run.gc_pause import gc_paused
from vtg_eval.run.journal import Journal, Record, read_journal
from vtg_eval.run.leases import Leases
from vtg_eval.run.process_pool import ProcessPool
from vtg_eval.run.usage import UsageMeter
from vtg_eval.statistics.bootstrap import resampled_means
from vtg_eval.video.pyav import PyavVideo
from vtg_eval.video.sampling import choose

Rows = list[tuple[str, float, str]]
GROUPS, FRAMES, FACTOR = (50, 250), (64, 128, 768), 28
VIDEOS, QUERIES, WORKERS, HELD = 100_000, 10, 64, 16
RECORDS, TIMES = 20_000, 768
POOL_VIDEOS, POOL_QUERIES = 200, 50
METRICS, CLUSTERS = 8, (5_000, 20_000)


def decode(folder: Path) -> Rows:
    """Time an hour's frames, at the size that a model with 14,336 tokens gets."""
    rows: Rows = []
    for group in GROUPS:
        path = write_hour(folder / f"{group}.mp4", group)
        rows.append((f"hour of video, key frame each {group}", path.stat().st_size / 1e6, "MB"))
        for count in FRAMES:
            rule = FrameRule(policy="uniform", max_frames=count)
            size = frame_size(HEIGHT, WIDTH, count, rule, FACTOR)
            start = time.process_time()
            with PyavVideo(path) as video:
                info = video.probe()
                probed, before = time.process_time() - start, video.decoded
                frames, _ = video.read(choose(info, rule).tolist(), size)
            spent, packets = time.process_time() - start, video.decoded - before
            name = f"{count} frames, key frame each {group}"
            rows += [
                (name, spent, "s"),
                (f"{name}: probe", probed, "s"),
                (f"{name}: each packet decoded", 1e3 * (spent - probed) / packets, "ms"),
                (f"{name}: stored", frames.nbytes / 1e6, "MB"),
            ]
        path.unlink()
    return rows


def run(_: Path) -> Rows:
    """Measure the plan's memory and the leases' time, with all workers to the last video."""
    small = VIDEOS // 10
    tracemalloc.start()
    jobs = make_workload(small, QUERIES, Costs(), 0).jobs
    samples = sum(len(job.samples) for job in jobs)
    planned = tracemalloc.get_traced_memory()[0]
    leases = Leases(jobs)
    leased = tracemalloc.get_traced_memory()[0] - planned
    tracemalloc.stop()
    pickled = len(pickle.dumps([sample for job in jobs[:1000] for sample in job.samples]))
    pickled_of = sum(len(job.samples) for job in jobs[:1000])
    rows: Rows = [
        ("a sample in the plan", planned / samples, "bytes"),
        ("a sample in the leases", leased / samples, "bytes"),
        ("a sample as sent to workers", pickled / pickled_of, "bytes"),
    ]
    for videos in (small, VIDEOS):
        with gc_paused():
            jobs = make_workload(videos, QUERIES, Costs(), 0).jobs
            start = time.process_time()
            leases = Leases(jobs)
            rows.append((f"leases of {videos:,} videos", time.process_time() - start, "s"))
            rows += _lease_all(leases, videos)
    return rows


def _lease_all(leases: Leases, videos: int) -> Rows:
    last, answers = videos - WORKERS * HELD, 0
    start = time.process_time()
    for number in range(videos):
        job = leases.lease(str(number % WORKERS))
        assert job is not None
        if number < last:
            for sample in job.samples:
                leases.answer(Record(sample.id, job.video, Finish.STOP))
                answers += 1
    each = (time.process_time() - start) / answers
    start = time.process_time()
    for number in range(WORKERS):
        assert leases.take_over(f"idle {number}") is not None
    taken = (time.process_time() - start) / WORKERS
    return [
        (f"leases and answers of {videos:,} videos, each sample", 1e6 * each, "µs"),
        (f"take-over, {videos:,} videos", 1e3 * taken, "ms"),
    ]


def journal(folder: Path) -> Rows:
    """Write and read records of a Qwen2.5-VL, whose times are told and shown."""
    times = tuple(round(number * 4.6875 + 2.34, 6) for number in range(TIMES))
    path, digest = folder / "journal.jsonl", "0" * 64
    answer = Record(
        "",
        "",
        Finish.STOP,
        "12.5 - 20.3",
        prompt=digest,
        frame_times=times,
        model_times=times[::2],
        height=112,
        width=224,
        decoder="pyav 18.1.0",
        frames=digest,
        prompt_tokens=14_400,
        completion_tokens=12,
        seconds=3.2,
    )
    rows: Rows = []
    start = time.process_time()
    with Journal(path) as file:
        for number in range(RECORDS):
            video = f"v{number // QUERIES}"
            file.append(replace(answer, id=f"{video}/{number}", video=video, frames=video))
    spent = time.process_time() - start
    size = path.stat().st_size
    rows.append(("a record", size / RECORDS, "bytes"))
    rows.append(("a record written", 1e6 * spent / RECORDS, "µs"))
    for with_times, name in ((True, "with times"), (False, "without times")):
        with gc_paused():
            start = time.process_time()
            records = read_journal(path, with_times)
            spent = time.process_time() - start
        rows.append((f"a record read {name}", 1e6 * spent / RECORDS, "µs"))
        del records
        tracemalloc.start()
        records = read_journal(path, with_times)
        held, count = tracemalloc.get_traced_memory()[0], len(records)
        tracemalloc.stop()
        del records
        rows.append((f"a record in memory {name}", held / count, "bytes"))
    record = next(iter(read_journal(path).values()))
    data = pickle.dumps(record)
    start = time.process_time()
    for _ in range(RECORDS // 10):
        pickle.loads(data)  # noqa: S301 - its own
    rows.append(("a record unpickled", 1e7 * (time.process_time() - start) / RECORDS, "µs"))
    rows.append(("a record pickled", len(data), "bytes"))
    return rows


def pool(_: Path) -> Rows:
    """Count the samples a second that two real processes and their parent pass on."""
    rates = []
    with closing(ProcessPool(Naming, [{}, {}])) as workers:
        for _repeat in range(4):
            start = time.perf_counter()
            leases = Leases(make_jobs(*[POOL_QUERIES] * POOL_VIDEOS))
            workers.run("counted", leases, lambda engine: None, lambda record: None, UsageMeter())
            rates.append(POOL_VIDEOS * POOL_QUERIES / (time.perf_counter() - start))
    return [("short records that a pool passes on, a second", max(rates[1:]), "")]


def resampling(_: Path) -> Rows:
    """Time intervals over so many videos."""
    rows: Rows = []
    for videos in CLUSTERS:
        generator = np.random.default_rng(0)
        values = generator.random((videos * QUERIES, METRICS))
        clusters = np.arange(videos * QUERIES) // QUERIES
        start = time.process_time()
        resampled_means(values, clusters)
        rows.append((f"intervals over {videos:,} videos", time.process_time() - start, "s"))
    return rows


PARTS: dict[str, Callable[[Path], Rows]] = {
    part.__name__: part for part in (decode, run, journal, pool, resampling)
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    args = parser.parse_args()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        for part in args.parts:
            rows += PARTS[part](Path(folder))
    lines = [(name, f"{value:,.{0 if value >= 100 else 2}f}", unit) for name, value, unit in rows]
    print(tabulate(lines, ["", "measured", "unit"], tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    main()
