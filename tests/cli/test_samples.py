import json

import pytest

from vtg_eval.cli import main


@pytest.fixture
def root(tmp_path):
    (tmp_path / "charades_sta_test.txt").write_text("AAAAA 1.0 12.5##person sits – down.\n")
    (tmp_path / "Charades_v1_test.csv").write_text("id,length\nAAAAA,30.5\n")
    return tmp_path


RECORD = {
    "id": "AAAAA/0",
    "video": "AAAAA",
    "query": "person sits – down.",
    "options": [],
    "target": {"spans": [[1.0, 12.5]], "choice": None, "saliency": None},
    "duration": 30.5,
    "asks": "spans",
    "clips": [],
    "groups": [["moment length", "10 s and more"], ["video length", "25 to 35 s"]],
}


def test_one_line_a_sample(root, capsys):
    assert main(["samples", "charades_sta", "--data-root", str(root), "--json", "-"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [RECORD]


def test_to_a_file_with_a_split(root, capsys):
    out = root / "out.jsonl"
    args = ["samples", "charades_sta", "--split", "test", "--data-root", str(root)]
    assert main([*args, "--json", str(out)]) == 0
    assert json.loads(out.read_text()) == RECORD
    assert capsys.readouterr().out == ""


def test_a_broken_annotation_is_a_one_line_error(root, capsys):
    (root / "charades_sta_test.txt").write_text("AAAAA 1.0##x\n")
    assert main(["samples", "charades_sta", "--data-root", str(root)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert "charades_sta_test.txt, line 1" in printed.err
