"""`vtg-eval report` on runs of the fake model."""

import json
from pathlib import Path

import pytest

from tests import fakes
from vtg_eval.cli import main

RUN = ("--model", "model", "--tasks", "fake_vtg", "--engine", "fake", "--decoder", "fake")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    fakes.use_home(tmp_path, monkeypatch)
    monkeypatch.syspath_prepend(tmp_path / "site")
    assert main([*RUN, "--out", "one", "--quiet"]) == 0
    assert main([*RUN, "--out", "two", "--limit", "9", "--quiet"]) == 0
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *args: str):
    capsys.readouterr()
    assert main(["report", *args, "--json", "-"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_becomes_one_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "one"]) == 0
    assert capsys.readouterr().out.startswith("one/report.html (")
    text = (home / "one" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\';' in text
    for banned in ("{{", 'src="', "https://"):
        assert banned not in text.replace("http://www.w3.org/2000/svg", "")
    assert main([*RUN, "--out", "one"]) == 0  # the run accepts the folder with the page


def test_two_runs_are_shown_side_by_side(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, "one", "two")
    assert [run["model"] for run in page["runs"]] == ["model", "model"]
    assert (len(page["samples"]), page["answers"][1].count(None)) == (32, 23)
    assert any("different samples" in warning for warning in page["warnings"])
    assert "the first 9" in page["runs"][1]["subset"]
    results = json.loads((home / "one" / "results.json").read_text())
    metrics = dict(zip(page["metrics"], page["runs"][0]["score"]["values"], strict=True))
    assert metrics == results["metrics"]
    for view, sample in zip(page["answers"][0], results["samples"], strict=True):
        assert view["worth"] == pytest.approx(sample["value"], abs=1e-4)
        assert (view["spans"][0] if view["spans"] else None) == sample["span"]
        kinds = [page["failures"][kind]["name"] for kind in view["failures"]]
        assert kinds == sample["failures"]


def test_the_journals_times_are_on_the_page(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = shown(capsys, "one")
    lines = (home / "one" / "journal.jsonl").read_text().splitlines()
    records = {record["id"]: record for record in map(json.loads, lines)}
    for sample, view in zip(page["samples"], page["answers"][0], strict=True):
        record = records[sample["id"]]
        for name in ("frame_times", "model_times"):
            steps = page["grids"][view[name]]
            times = [sum(steps[: k + 1]) / 100 for k in range(len(steps))]
            assert times == pytest.approx(record[name], abs=0.005)


def test_pictures_come_from_the_frame_store_and_may_be_left_out(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = shown(capsys, "one")
    assert page["images"] and not page["pictures"]
    sample = page["samples"][9]
    start, end = sample["truth"][0]
    assert {start, end} <= {picture["time"] for picture in sample["pictures"]}
    without = shown(capsys, "one", "--pictures", "0")
    assert without["images"] == [] and "left out" in without["pictures"]
    whole = sum(map(len, page["images"])) / 2**20
    little = shown(capsys, "one", "--pictures", f"{whole - 1e-5:.6f}")
    assert 0 < len(little["images"]) < len(page["images"])
    assert "samples only" in little["pictures"]
    frames = (home / "cache" / "frames").glob("*/*.frames")
    for path in (*frames, *home.rglob("videos/*.txt")):
        path.unlink()
    assert "not on the machine" in shown(capsys, "one")["pictures"]


def test_equal_runs_give_equal_files(home: Path) -> None:
    assert main(["report", "one", "--out", "a.html"]) == 0
    assert main(["report", "one", "--out", "b.html"]) == 0
    assert (home / "a.html").read_bytes() == (home / "b.html").read_bytes()


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("nowhere",), "nowhere is not a run folder"),
        (("one", "nowhere"), "nowhere is not a run folder"),
        (("one", "--out", "no/such/folder.html"), "no/such is not a folder"),
        (("one", "--data-root", "gone"), "not a folder"),
    ],
)
def test_mistakes_are_named(
    home: Path, capsys: pytest.CaptureFixture[str], args: tuple[str, ...], named: str
) -> None:
    capsys.readouterr()
    assert main(["report", *args]) == 2
    err = capsys.readouterr().err
    assert named in err and err.count("\n") == 1


@pytest.mark.parametrize("megabytes", ["-1", "nan", "inf", "many"])
def test_megabytes_are_a_number(megabytes: str) -> None:
    with pytest.raises(SystemExit):
        main(["report", "one", "--pictures", megabytes])
