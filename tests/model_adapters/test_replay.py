from __future__ import annotations

from pathlib import Path

import pytest
from vtg_eval.model_adapters.replay import ReplayAdapter

from vtg_eval.adapter import Checkpoint
from vtg_eval.engines.base import EngineOptions
from vtg_eval.engines.replay import ReplayEngine
from vtg_eval.errors import UserError
from vtg_eval.failures import Finish
from vtg_eval.protocol import GenerationRule, ResolvedProtocol
from vtg_eval.run.journal import Record
from vtg_eval.types import Sample, Target

PROTOCOL = ResolvedProtocol("p@1", "", "")


def adapter(folder: Path) -> ReplayAdapter:
    return ReplayAdapter(Checkpoint(f"replay:{folder}", None, argument=str(folder)))


def test_answers_of_a_run_come_back(tmp_path: Path) -> None:
    records = (
        Record("a", "v", Finish.STOP, text="1 - 2"),
        Record("b", "v", Finish.ERROR, error="no"),
    )
    (tmp_path / "journal.jsonl").write_bytes(b"".join(r.to_line() for r in records))
    replay = adapter(tmp_path)
    request = replay.request(Sample("a", "v", "q", Target()), None, PROTOCOL)
    engine = ReplayEngine(Path(), GenerationRule(), EngineOptions())
    (completion,) = engine.generate([request])
    assert (completion.sample_id, completion.text, completion.finish) == ("a", "1 - 2", Finish.STOP)
    with pytest.raises(ValueError, match="no answer"):
        replay.request(Sample("b", "v", "q", Target()), None, PROTOCOL)


def test_a_folder_without_answers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no answers"):
        adapter(tmp_path)
