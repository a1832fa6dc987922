"""What `vtg-eval data` does: prepare or check a task's files."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from pathlib import Path

import numpy as np

from vtg_eval.annotations.split import read_split
from vtg_eval.cli.command import opened
from vtg_eval.console.streams import show
from vtg_eval.data.audit import Audit, Finding, Probe, audit
from vtg_eval.data.prepare import FileState, prepare_files
from vtg_eval.errors import MissingFileError, UserError
from vtg_eval.registry import Registry
from vtg_eval.run.paths import data_root, frames_folder, make_folder
from vtg_eval.task import Task
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.frames import VideoInfo
from vtg_eval.video.probe_cache import ProbeCache

SHOWN = 5


def prepare_or_check(args: Namespace, registry: Registry) -> int:
    """Do the action; return 1 where something is missing or wrong."""
    task = registry.task(args.task)
    if args.action == "prepare":
        root = args.data_root or data_root(task, None)
        make_folder(task, root)
        return _prepare(task, root, args.split, args.videos)
    return _check(task, args, registry.decoder("pyav")())


def _prepare(task: Task, root: Path, split: str | None, videos: bool) -> int:
    states = prepare_files(task, root, _show_progress, videos)
    for state in states:
        show(_file_line(state))
    try:
        task.prepare(root, task.card.split(split))
        samples = read_split(task, root, task.card.split(split))
    except UserError as exc:
        show(f"samples: {exc}")
        return 1
    names = sorted({sample.video for sample in samples})
    missing = [name for name in names if not task.video_path(root, name).is_file()]
    show(f"videos: {len(names) - len(missing)} of {len(names)} are there")
    if missing:
        show(f"  folder: {task.video_path(root, missing[0]).parent}, {task.card.videos}")
        show(f"  source: {task.card.home}; missing: {_listed(missing)}")
    needed = [s for s in states if not s.present and not s.source.unpack and _needed(s, split)]
    return 1 if missing or needed else 0


def _needed(state: FileState, split: str | None) -> bool:
    return split is None or not state.source.needed_for or split in state.source.needed_for


def _file_line(state: FileState) -> str:
    if state.present:
        return f"{state.path}: present" + (f", but {state.problem}" if state.problem else "")
    return f"{state.path}: missing. From {state.source.fetch or state.source.home}: {state.problem}"


def _show_progress(name: str, done: int, total: int | None) -> None:
    if sys.stderr.isatty():
        share = f" of {total / 1e6:.1f}" if total else ""
        end = "\n" if done == total else ""
        print(f"\r{name}: {done / 1e6:.1f}{share} MB", end=end, file=sys.stderr, flush=True)


def _check(task: Task, args: Namespace, decoder: Decoder) -> int:
    probe: Probe = ProbeCache(frames_folder() / "probes", decoder).probe
    if args.decode:
        probe = _decoding(probe, decoder)
    asked = task.card.split(args.split)
    results, absent = _audits(task, data_root(task, args.data_root), args.split, probe)
    if args.json != "-":
        show("\n\n".join(_report(result, asked) for result in results))
        if absent:
            show(f"\nnot checked, without their annotations: {', '.join(absent)}")
    if args.json:
        records = [_record(result) for result in results]
        with opened(args.json) as file:
            json.dump(
                records[0] if len(records) == 1 else records, file, indent=1, ensure_ascii=False
            )
            file.write("\n")
    return 0 if all(_passes(result, asked) for result in results) else 1


def _audits(
    task: Task, root: Path, split: str | None, probe: Probe
) -> tuple[list[Audit], list[str]]:
    """Check the named split, or each whose annotations exist; return also the names of the others.

    Raises MissingFileError where none is left.
    """
    if split is not None:
        return [audit(task, root, task.card.split(split), probe)], []
    results, absent = [], []
    for name in (metadata.name for metadata in task.card.splits):
        try:
            results.append(audit(task, root, name, probe))
        except MissingFileError:
            absent.append(name)
    return results or [audit(task, root, task.card.default_split, probe)], absent


def _passes(result: Audit, asked: str) -> bool:
    """Whether nothing is wrong; splits other than `asked` may be without any video."""
    without_videos = result.split != asked and not result.videos_present
    return result.complete or (result.sound and without_videos)


def _decoding(probe: Probe, decoder: Decoder) -> Probe:
    """Return a probe that also decodes a frame of every half second."""

    def decoded(path: Path) -> VideoInfo:
        info = probe(path)
        targets = np.arange(0, info.duration, 0.5)
        indices = np.maximum(np.searchsorted(info.times, targets, side="right") - 1, 0)
        decoder.read(path, [*indices.tolist(), len(info.times) - 1], (32, 32))
        return info

    return decoded


def _report(result: Audit, asked: str) -> str:
    lines = [
        f"{result.task}, {result.split}: {result.queries} queries on {result.videos} videos "
        f"(the card says {result.expected_queries} on {result.expected_videos})",
        f"videos present: {result.videos_present}; their samples: "
        f"{result.samples_present}; digest of that subset: {result.subset[:16]}",
        *(_finding_line(finding) for finding in result.findings if finding.count),
        _verdict(result, asked),
    ]
    return "\n".join(lines)


def _verdict(result: Audit, asked: str) -> str:
    if result.complete:
        return "nothing is missing"
    if _passes(result, asked):
        return "nothing is missing but the videos, which scoring does not need"
    return "not complete: see above"


def _finding_line(finding: Finding) -> str:
    return f"  {finding.name}: {finding.count} ({_listed(finding.where)})"


def _listed(names: list[str] | tuple[str, ...]) -> str:
    more = f", … and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _record(result: Audit) -> dict[str, object]:
    return {
        "task": result.task,
        "split": result.split,
        "queries": result.queries,
        "videos": result.videos,
        "expected_queries": result.expected_queries,
        "expected_videos": result.expected_videos,
        "videos_present": result.videos_present,
        "samples_present": result.samples_present,
        "subset": result.subset,
        "complete": result.complete,
        "findings": [
            {"name": f.name, "count": f.count, "serious": f.serious, "where": list(f.where)}
            for f in result.findings
        ],
    }
