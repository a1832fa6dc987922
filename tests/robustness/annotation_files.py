"""Small valid annotation files of every layout, made from a seed, and how to break them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

RECORDS = 6
QUERY = "a person at a café closes door"
HEAD = "video_id,frame_count,width,height,question,answer,qid,type,a0,a1,a2,a3,a4"
HOLE = "@@"  # a value of which the text of the JSON file is given


def _span(rng: Random) -> list[float]:
    start = round(rng.uniform(0, 10), 2)
    return [start, round(start + rng.uniform(1, 9), 2)]


def captions(rng: Random) -> dict[str, Any]:
    return {
        f"v_{k}": {
            "duration": 30.5,
            "timestamps": [_span(rng), _span(rng)],
            "sentences": [f"{QUERY} {k}", f"{QUERY} {k} again"],
        }
        for k in range(RECORDS)
    }


def frames(rng: Random) -> dict[str, Any]:
    return {
        f"s{k}.avi": {
            "num_frames": 900,
            "fps": 29.4,
            "timestamps": [[rng.randrange(300), rng.randrange(300, 900)]],
            "sentences": [f"{QUERY} {k}"],
        }
        for k in range(RECORDS)
    }


def chunks(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "annotation_id": 100 + k,
            "video": f"video{k}.mov",
            "num_segments": 6,
            "description": f"{QUERY} {k}",
            "times": [[rng.randrange(3), rng.randrange(3, 6)] for _ in range(4)],
        }
        for k in range(RECORDS)
    ]


def highlights(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "qid": 500 + k,
            "vid": f"vlog_{k}",
            "query": f"{QUERY} {k}",
            "duration": 20,
            "relevant_windows": [[4, 8]],
            "relevant_clip_ids": [2, 3],
            "saliency_scores": [[rng.randrange(5) for _ in range(3)] for _ in range(2)],
        }
        for k in range(RECORDS)
    ]


def clues(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "qid": k,
            "video_uid": f"BV{k}",
            "question": f"{QUERY} {k}?",
            "choices": ["Grey", "Blue", "White"],
            "right_answer": "ABC"[k % 3],
            "clue_intervals": [_span(rng)],
            "domain": "Art",
            "sub_category": "Colour",
            "duration": 600,
        }
        for k in range(RECORDS)
    ]


def moments(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "qid": f"anet_val{k}",
            "query": f"{QUERY} {k}?",
            "duration": 100.5,
            "vid": f"v_{k}",
            "relevant_windows": [_span(rng)],
            "ans": "ABCD"[k % 4],
        }
        for k in range(RECORDS)
    ]


def sources(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "path": f"./videos/{k}.mkv",
            "question": f"{QUERY} {k}",
            "answer": "-".join(map(str, _span(rng))),
            "duration": 70.5,
            "source": "./raw/nlq.json",
            "qsemtype": "Object",
            "bins": {"dataset": "egonlq"},
        }
        for k in range(RECORDS)
    ]


def referring(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "id": f"user_{k}",
            "video_path": f"{k}.mp4",
            "question": f"{QUERY} {k}?",
            "candidates": ["he", "she", "it"],
            "correct_choice": rng.randrange(3),
            "topic_category": "KA",
            "question_category": "TOS",
            "duration_group": 15,
            "duration": 12.5,
        }
        for k in range(RECORDS)
    ]


def template(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "video_id": f"{k:03}",
            "duration": "short",
            "domain": "Knowledge",
            "sub_category": "Law",
            "questions": [
                {
                    "question_id": f"{k:03}-1",
                    "task_type": "OCR",
                    "question": f"{QUERY}?",
                    "options": ["A. one", "B. two"],
                    "answer": rng.choice("AB"),
                }
            ],
        }
        for k in range(RECORDS)
    ]


def hours(rng: Random) -> list[dict[str, Any]]:
    return [
        {
            "key": f"k{k}",
            "type": "live",
            "qa": [
                {
                    "uid": str(k),
                    "question": f"{QUERY}?\n(A) one\n(B) two",
                    "answer": rng.choice("AB"),
                    "question_type": ["reasoning"],
                }
            ],
        }
        for k in range(RECORDS)
    ]


def locations(rng: Random) -> dict[str, Any]:
    return {
        str(k): {"duration": 30, "location": {"1": [_span(rng)]}, "fps": 30} for k in range(RECORDS)
    }


def questions(rng: Random) -> str:
    rows = (f"{k},1,1,1,{QUERY},go,1,TP,go,stop,sit,run,lie" for k in range(RECORDS))
    return "\n".join((HEAD, *rows)) + "\n"


def sentences(rng: Random) -> str:
    spans = (_span(rng) for _ in range(RECORDS))
    return "".join(f"V{k} {a} {b}##{QUERY}.\n" for k, (a, b) in enumerate(spans))


def lengths(rng: Random) -> str:
    return "id,length\n" + "".join(f"V{k},{20 + rng.random():.2f}\n" for k in range(RECORDS))


@dataclass(frozen=True, slots=True)
class Layout:
    """A task's files by name: how each is made. The first is the one that is broken."""

    task: str
    split: str
    files: Mapping[str, Callable[[Random], Any]]

    @property
    def file(self) -> str:
        """The name of the file that is broken."""
        return next(iter(self.files))

    def write(self, root: Path, seed: int) -> Path:
        """Write the valid files; return the path of the first."""
        for name, make in self.files.items():
            (root / name).write_text(written(make(Random(seed)), name), encoding="utf-8")
        return root / self.file


def written(content: Any, name: str) -> str:
    """Return the text of a file; a hole in JSON stays one."""
    if isinstance(content, str):
        return content
    if name.endswith("l"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


LAYOUTS = {
    "sentence lines": Layout(
        "charades_sta",
        "test",
        {"charades_sta_test.txt": sentences, "Charades_v1_test.csv": lengths},
    ),
    "lengths": Layout(
        "charades_sta",
        "test",
        {"Charades_v1_test.csv": lengths, "charades_sta_test.txt": sentences},
    ),
    "captions": Layout("activitynet_captions", "val_2", {"val_2.json": captions}),
    "frames": Layout("tacos", "test", {"test.json": frames}),
    "chunks": Layout("didemo", "test", {"test_data.json": chunks}),
    "highlights": Layout("qvhighlights", "val", {"highlight_val_release.jsonl": highlights}),
    "clues": Layout("cgbench", "mini", {"cgbench_mini.json": clues}),
    "moments": Layout("rextime", "val", {"rextime_val.jsonl": moments}),
    "sources": Layout("tvgbench", "test", {"tvgbench.json": sources}),
    "referring": Layout("longvideobench", "val", {"lvb_val.json": referring}),
    "template": Layout("videomme", "test", {"output_test_template.json": template}),
    "hours": Layout("lvbench", "test", {"video_info.meta.jsonl": hours}),
    "questions": Layout("nextgqa", "test", {"test.csv": questions, "gsub_test.json": locations}),
    "locations": Layout("nextgqa", "test", {"gsub_test.json": locations, "test.csv": questions}),
}
