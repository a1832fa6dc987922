import json

import pytest

from vtg_eval.cli import main
from vtg_eval.registry import Registry

BUILT = ["2d-tan@1", "lmms-eval@0.7", "strict@2", "time-r1@1", "timechat@1", "timelens@1",
         "timezero@1", "vtimellm@1"]  # fmt: skip


@pytest.mark.parametrize("args", [["protocols"], ["protocols", "list"]])
def test_protocols_are_listed_by_default(args, capsys):
    assert main(args) == 0
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert set(BUILT) <= set(names)


@pytest.mark.parametrize("args", [["--json"], ["list", "--json"], ["--json", "list"]])
def test_list_as_json(args, capsys):
    assert main(["protocols", *args]) == 0
    assert set(BUILT) <= {row["name"] for row in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("name", BUILT)
def test_show_prints_everything(name, capsys):
    assert main(["protocols", "show", name, "--task", "charades_sta"]) == 0
    out = capsys.readouterr().out
    protocol = Registry.discover().protocol(name).without_task
    for line in protocol.prompt.text.splitlines():
        assert line in out or json.dumps(line, ensure_ascii=False)[1:-1] in out
    for text in ("comparator", "fps = ", "max_new_tokens", "parser", protocol.source):
        assert text in out
    assert main(["protocols", "show", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["prompt"]["text"] == protocol.prompt.text


def test_show_refuses_a_task_that_the_protocol_does_not_cover(capsys):
    assert main(["protocols", "show", "lmms-eval@0.7", "--task", "synth_vtg"]) == 2
    assert "not defined for synth_vtg" in capsys.readouterr().err


def test_predictions_are_scored_under_every_protocol(tmp_path, capsys):
    (tmp_path / "charades_sta_test.txt").write_text("AAAAA 0.0 10.0##person sits.\n")
    (tmp_path / "Charades_v1_test.csv").write_text("id,length\nAAAAA,20.0\n")
    (tmp_path / "p.jsonl").write_text('{"id": "AAAAA/0", "text": "between 0 and 5"}\n')
    args = ["protocols", "score", "--task", "charades_sta", "--data-root", str(tmp_path)]
    args += ["--predictions", str(tmp_path / "p.jsonl")]
    assert main(args) == 0
    assert "time-r1@1" in capsys.readouterr().out
    assert main([*args, "--json"]) == 0
    metrics = {row["protocol"]: row["metrics"] for row in json.loads(capsys.readouterr().out)}
    assert (metrics["timezero@1"]["R1@0.5"], metrics["time-r1@1"]["R1@0.5"]) == (100.0, 0.0)
    assert metrics["lmms-eval@0.7"]["mIoU"] == 0.0
