import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import fakes
from tests.fakes import QUERIES, TASK, VIDEOS, FakeEngine
from tests.run.conftest import Run
from vtg_eval.errors import UserError
from vtg_eval.failures import Failure
from vtg_eval.hookspecs import hookimpl
from vtg_eval.run.finished import rescore
from vtg_eval.run.journal import read_journal

TOTAL = VIDEOS * QUERIES


def results(folder: Path) -> bytes:
    return (folder / "results.json").read_bytes()


def journal(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]


def test_a_run_answers_every_sample_once_and_writes_its_folder(run: Run) -> None:
    outcome = run("one")
    assert outcome.results is not None
    assert (outcome.answered, outcome.asked) == (TOTAL, TOTAL)
    assert sorted(row["id"] for row in journal(outcome.folder)) == sorted(
        sample.id for sample in TASK.samples(Path(), "test")
    )
    manifest = json.loads((outcome.folder / "manifest.json").read_text())
    assert manifest["spec"]["protocol"]["prompt"]["text"]
    assert manifest["subset"]["size"] == TOTAL
    assert manifest["sessions"][0]["engine"]["name"] == "fake"
    assert json.loads(results(outcome.folder))["n_expected"] == TOTAL


@pytest.mark.parametrize(
    "other",
    [{"batch_size": 1}, {"batch_size": 99}, {"shuffle": 1}, {"shuffle": 2, "batch_size": 7}],
    ids=str,
)
def test_batches_and_order_do_not_move_a_byte(run: Run, other: dict[str, Any]) -> None:
    assert results(run("one").folder) == results(run("two", **other).folder)


def test_a_shuffled_journal_gives_the_same_bytes(run: Run) -> None:
    folder = run("one").folder
    before, path = results(folder), folder / "journal.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    random.Random(3).shuffle(lines)
    path.write_bytes(b"".join(lines))
    run("one")
    assert results(folder) == before


@pytest.mark.parametrize("kept", [0, 1, 600, 1501, -1])
def test_a_run_cut_at_any_byte_is_finished_to_the_same_bytes(run: Run, kept: int) -> None:
    folder = run("one").folder
    before, path = results(folder), folder / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:kept])
    (folder / "results.json").unlink()
    run("one", batch_size=3)
    assert results(folder) == before
    assert len(journal(folder)) == TOTAL


def test_a_finished_run_starts_no_engine(run: Run) -> None:
    first = run("one")
    started, lines = FakeEngine.started, journal(first.folder)
    again = run("one")
    assert FakeEngine.started == started
    assert again.results == first.results
    assert journal(first.folder) == lines


def test_results_hold_no_path_and_no_time_of_day(run: Run, tmp_path: Path) -> None:
    text = results(run("one").folder).decode()
    assert str(tmp_path) not in text
    assert '"seconds"' not in text
    assert (
        json.loads((tmp_path / "one" / "manifest.json").read_text())["sessions"][0]["started"][:10]
        not in text
    )


def test_an_undecodable_video_is_counted_and_tried_again(run: Run, tmp_path: Path) -> None:
    videos = tmp_path / "cache" / "data" / "fake_vtg" / "videos"
    videos.mkdir(parents=True)
    (videos / "v3.txt").write_text("garbage")
    broken = run("one")
    assert broken.results is not None
    assert broken.results.failures[Failure.UNDECODABLE] == QUERIES
    assert broken.results.n_scored == TOTAL
    assert broken.results.lost == QUERIES
    again = run("one")
    assert results(again.folder) == results(broken.folder)

    (videos / "v3.txt").unlink()
    mended = run("one")

    assert mended.results is not None
    assert mended.results.lost == 0
    assert results(run("two").folder) == results(mended.folder)


def test_a_video_whose_file_is_cut_is_counted_as_such(run: Run, tmp_path: Path) -> None:
    videos = tmp_path / "cache" / "data" / "fake_vtg" / "videos"
    videos.mkdir(parents=True)
    TASK.prepare(tmp_path / "cache" / "data", "test")
    whole = (videos / "v3.txt").read_bytes()
    (videos / "v3.txt").write_bytes(whole[: len(whole) * 9 // 10])  # the index is at the end
    (videos / "v2.txt").write_bytes((videos / "v0.txt").read_bytes())  # 6 s of 9 s as annotated
    broken = run("one")
    assert broken.results is not None
    assert broken.results.failures[Failure.CUT_SHORT] == 2 * QUERIES
    assert Failure.UNDECODABLE not in broken.results.failures
    assert broken.results.n_scored == TOTAL
    assert broken.results.lost == 2 * QUERIES


def test_no_engine_starts_where_only_undecodable_videos_remain(run: Run, tmp_path: Path) -> None:
    videos = tmp_path / "cache" / "data" / "fake_vtg" / "videos"
    videos.mkdir(parents=True)
    (videos / "v3.txt").write_text("garbage")
    run("one")
    started = FakeEngine.started
    run("one")
    assert FakeEngine.started == started


def test_failed_samples_are_counted_and_tried_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome, whole = run("one", fail=["v1/2", "v6/0"]), run("two")
    assert outcome.results is not None
    assert outcome.results.failures[Failure.ERROR] == 2
    assert outcome.results.lost == 2
    monkeypatch.setattr(FakeEngine, "well", True)

    again = run("one", fail=["v1/2", "v6/0"])

    assert len(journal(outcome.folder)) == TOTAL + 2
    assert results(again.folder) == results(whole.folder)


def test_a_truncated_answer_is_counted_and_read(run: Run) -> None:
    plain, cut = run("one").results, run("two", long=["v1/2"]).results
    assert plain is not None
    assert cut is not None
    assert cut.failures[Failure.TRUNCATED] == 1
    assert cut.metrics == plain.metrics


def test_an_engine_that_breaks_down_loses_nothing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"RuntimeError: the device is lost for good") as caught:
        run("one", crash_after=10)
    assert "run the same command again" in str(caught.value)
    assert len(read_journal(tmp_path / "one" / "journal.jsonl")) == 10
    assert "Traceback" in (tmp_path / "one" / "engine-error.txt").read_text()


def test_the_error_of_an_engine_that_does_not_start_is_shown(run: Run) -> None:
    with pytest.raises(UserError, match="does not start"):
        run("one", refuse=True)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_keeps_the_answers_so_far(run: Run, name: str) -> None:
    outcome = run("one", stop_after=7, signal=name)
    assert outcome.results is None
    assert (outcome.answered, outcome.asked) == (7, TOTAL)
    assert not (outcome.folder / "results.json").exists()


def test_changed_arguments_are_refused_by_name(run: Run) -> None:
    run("one")
    with pytest.raises(UserError, match=r"engine_args\.delay \(before not set, now 0\.5\)"):
        run("one", delay=0.5)
    with pytest.raises(UserError, match=r"protocol\.name"):
        run("one", options={"protocol": "timelens@1"})


def test_a_checkpoint_that_changed_in_place_is_refused(run: Run, tmp_path: Path) -> None:
    run("one")
    (tmp_path / "model" / "generation_config.json").write_text("{}")
    with pytest.raises(UserError, match=r"other settings: checkpoint \(before"):
        run("one")


def test_a_limit_is_a_subset_everywhere(run: Run) -> None:
    outcome = run("one", options={"limit": 5})
    manifest = json.loads((outcome.folder / "manifest.json").read_text())
    assert outcome.results is not None
    assert outcome.results.n_expected == 5
    assert (outcome.results.subset.size, outcome.results.subset.of) == (5, TOTAL)
    assert manifest["subset"]["digest"] == outcome.results.subset.digest


def test_a_baseline_touches_no_video(run: Run, tmp_path: Path) -> None:
    options = {"engine": None, "data_root": tmp_path / "empty"}
    (tmp_path / "empty").mkdir()
    outcome = run("one", model="baseline:whole-video", options=options)
    assert outcome.results is not None
    assert outcome.results.metrics == pytest.approx(outcome.results.floors["whole video"])
    assert outcome.results.ceiling is None


def test_results_have_floors_a_ceiling_and_intervals(run: Run) -> None:
    scores = run("one").results
    assert scores is not None
    assert scores.ceiling is not None
    assert scores.metrics["mIoU"] <= scores.ceiling["mIoU"] <= 100
    low, high = scores.intervals["mIoU"]
    assert low <= scores.metrics["mIoU"] <= high
    assert set(scores.floors) == {"whole video", "random", "constant [0.25, 0.75]"}
    rows = {row.protocol: row for row in scores.scores_across_protocols}
    assert (rows["strict@2"].metrics, rows["strict@2"].differs) == (scores.metrics, False)
    assert len(rows) > 2
    assert {(g.grouping, g.group): g.n for g in scores.groups} == {
        ("kind", "never"): VIDEOS,
        ("kind", "once"): TOTAL - VIDEOS,
    }


def test_events_reach_listeners_and_a_broken_one_does_not_stop_the_run(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[str] = []

        @hookimpl
        def vtg_run_started(self, folder: Path, manifest: Mapping[str, Any]) -> None:
            self.heard.append(f"started {manifest['spec']['task']}")

        @hookimpl
        def vtg_sample_answered(self, folder: Path, record: Mapping[str, Any]) -> None:
            assert record["id"] in (folder / "journal.jsonl").read_text()
            self.heard.append("answered")

        @hookimpl
        def vtg_run_finished(self, folder: Path, results: Mapping[str, Any]) -> None:
            assert (folder / "results.json").is_file()
            raise RuntimeError("the listener is broken")

    listener = Listener()
    outcome = run("one", listener)
    assert outcome.results is not None
    assert listener.heard == ["started fake_vtg", *["answered"] * TOTAL]
    assert "failed at vtg_run_finished" in capsys.readouterr().err


def test_a_run_is_scored_again_without_a_model(run: Run, tmp_path: Path) -> None:
    outcome = run("one", options={"limit": 20})
    registry = fakes.make_registry(fakes)
    assert rescore(outcome.folder, registry) == outcome.results
    other = rescore(outcome.folder, registry, protocol="timelens@1")
    assert outcome.results is not None
    assert other.protocol == "timelens@1"
    rows = {row.protocol: row for row in outcome.results.scores_across_protocols}
    assert other.metrics == rows["timelens@1"].metrics


def test_a_run_of_other_annotations_is_not_scored_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, samples = run("one").folder, TASK.samples(Path(), "test")
    monkeypatch.setattr(type(TASK), "samples", lambda self, root, split: samples[::-1])
    with pytest.raises(UserError, match="annotations of fake_vtg"):
        rescore(folder, fakes.make_registry(fakes))
