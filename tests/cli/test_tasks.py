import json

from vtg_eval.cli import main


def test_list_and_card(capsys):
    assert main(["tasks"]) == 0
    assert "charades_sta" in capsys.readouterr().out
    assert main(["tasks", "charades_sta"]) == 0
    out = capsys.readouterr().out
    for fact in ("3720", "12408", "ICCV 2017", "not clamped", "charades_sta_train.txt", "0.45"):
        assert fact in out


def test_json(capsys):
    assert main(["tasks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert "charades_sta" in [task["name"] for task in listed]
    assert main(["tasks", "charades_sta", "--json"]) == 0
    card = json.loads(capsys.readouterr().out)
    assert (card["default_split"], card["constant_span"]) == ("test", [0.0, 0.45])


def test_unknown_task_names_the_nearest(capsys):
    assert main(["tasks", "charadessta"]) == 2
    assert 'Did you mean "charades_sta"?' in capsys.readouterr().err
