"""Names on the hub: from a cache as huggingface_hub lays it out, and from a server on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("transformers", reason="needs the extra hf")

import huggingface_hub

from tests import fakes
from tests.charades_case import write_charades
from tests.hub_server import COMMIT, TOKEN, HubServer
from tests.tiny_families import qwen3_vl
from vtg_eval.checkpoint import hub
from vtg_eval.checkpoint.hub import Fetch, snapshot
from vtg_eval.checkpoint.resolve import resolve
from vtg_eval.errors import UserError
from vtg_eval.registry import Registry
from vtg_eval.run.runner import Runner
from vtg_eval.run.setup import RunOptions

NAME = "alice/tiny"
REPOSITORY = Path(__file__).parents[2]
MAIN = "import sys; from vtg_eval.cli import main; sys.exit(main())"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with files beside it that must not be fetched."""
    folder = qwen3_vl.build(tmp_path_factory.mktemp("model"))
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    (folder / "modeling_tiny.py").write_text("raise SystemExit")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.safetensors").write_bytes(b"other")
    return folder


@pytest.fixture
def server() -> Iterator[HubServer]:
    server = HubServer()
    yield server
    server.close()


@pytest.fixture
def cache(tmp_path: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of huggingface_hub, which asks the server."""
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    constants = huggingface_hub.constants
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setattr(constants, "ENDPOINT", server.root)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        server.root + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "hub"


def lay_out(cache: Path, model: Path) -> Path:
    """Put a model into the cache as a download does; return its snapshot."""
    repository = cache / "models--alice--tiny"
    folder = repository / "snapshots" / COMMIT
    for place in (folder, repository / "blobs", repository / "refs"):
        place.mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    for file in model.iterdir():
        if file.is_file() and file.suffix not in (".bin", ".py"):
            shutil.copyfile(file, repository / "blobs" / file.name)
            (folder / file.name).symlink_to(Path("../../blobs") / file.name)
    return folder


@pytest.mark.parametrize("name", [NAME, f"{NAME}@main", f"{NAME}@{COMMIT}"])
def test_the_cache_comes_first(name: str, cache: Path, model: Path, server: HubServer) -> None:
    folder = lay_out(cache, model)
    checkpoint, entry = resolve(name, Registry.discover())
    assert (checkpoint.path, entry.name) == (folder, "qwen3_vl")
    assert (checkpoint.name, dict(checkpoint.commits)) == (NAME, {NAME: COMMIT})
    assert server.asked == []


def test_a_folder_of_that_name_comes_before_the_hub(
    cache: Path, model: Path, server: HubServer
) -> None:
    shutil.copytree(model, NAME)
    checkpoint, _ = resolve(NAME, Registry.discover())
    assert (checkpoint.path, checkpoint.name, checkpoint.commits) == (Path(NAME), "tiny", {})
    assert server.asked == []


def test_a_download_brings_what_is_read_and_nothing_else(
    cache: Path, model: Path, server: HubServer
) -> None:
    server.repositories[NAME] = model
    result = snapshot(NAME, Fetch(quiet=True))
    expected = {p.name for p in model.iterdir() if p.is_file() and p.suffix not in (".bin", ".py")}
    assert {p.name for p in result.folder.iterdir()} == expected
    assert (result.repository, result.commit) == (NAME, COMMIT)
    asked = len(server.asked)
    assert snapshot(NAME, Fetch(quiet=True)) == result
    assert len(server.asked) == asked


def test_code_is_fetched_where_the_user_trusts_it(
    cache: Path, model: Path, server: HubServer
) -> None:
    server.repositories[NAME] = model
    folder = snapshot(NAME, Fetch(trust_remote_code=True, quiet=True)).folder
    assert (folder / "modeling_tiny.py").exists()
    assert not (folder / "pytorch_model.bin").exists()


def test_what_the_cache_lacks_is_fetched(cache: Path, model: Path, server: HubServer) -> None:
    server.repositories[NAME] = model
    folder = lay_out(cache, model)
    (folder / "model.safetensors").unlink()
    assert snapshot(NAME, Fetch(quiet=True)).folder == folder
    assert (folder / "model.safetensors").stat().st_size > 1000


def test_a_gated_repository_needs_a_token(
    cache: Path, model: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.repositories[NAME] = model
    server.gated.add(NAME)
    for token in (None, "hf_wrong"):
        if token:
            monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(
            UserError, match=r"accept them on its page, then set HF_TOKEN"
        ) as caught:
            snapshot(NAME, Fetch())
        assert "hf_wrong" not in str(caught.value)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert snapshot(NAME, Fetch(quiet=True)).commit == COMMIT


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("bob/none", 'no folder "bob/none", and no such repository'),
        (f"{NAME}@v9", "no such revision"),
        ("bob--x/none", "it is no name on the hub"),
    ],
)
def test_a_wrong_name_is_told_in_one_line(
    name: str, says: str, cache: Path, model: Path, server: HubServer
) -> None:
    server.repositories[NAME] = model
    with pytest.raises(UserError, match=says) as caught:
        snapshot(name, Fetch())
    assert "\n" not in str(caught.value)


def test_a_repository_without_safetensors(cache: Path, tmp_path: Path, server: HubServer) -> None:
    folder = tmp_path / "pickled"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    server.repositories[NAME] = folder
    with pytest.raises(UserError, match="has no safetensors"):
        snapshot(NAME, Fetch(quiet=True))


def test_offline_the_cache_alone_is_used(
    cache: Path, model: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match=r"not in the local cache, and HF_HUB_OFFLINE forbids"):
        snapshot(NAME, Fetch())
    folder = lay_out(cache, model)
    assert snapshot(NAME, Fetch()).folder == folder
    os.truncate((folder / "model.safetensors").resolve(), 999)
    with pytest.raises(UserError, match=r"not whole in the local cache .*HF_HUB_OFFLINE"):
        snapshot(NAME, Fetch())
    assert server.asked == []


def test_a_hub_that_does_not_answer_costs_bounded_time(
    cache: Path, server: HubServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.3)
    server.silent = True
    began = time.monotonic()
    with pytest.raises(UserError, match=r"cannot be downloaded .*Timeout"):
        snapshot(NAME, Fetch())
    assert time.monotonic() - began < 5
    server.silent, server.status = False, 503
    with pytest.raises(UserError, match="answers with the status 503"):
        snapshot(NAME, Fetch())
    server.close()
    with pytest.raises(UserError, match=r"cannot be downloaded .*hf download alice/tiny"):
        snapshot(NAME, Fetch())


def test_the_commit_is_part_of_a_runs_spec(cache: Path, model: Path, tmp_path: Path) -> None:
    lay_out(cache, model)
    options = RunOptions(NAME, data_root=write_charades(tmp_path / "data"), engine="transformers")
    with closing(Runner(options, Registry.discover())) as runner:
        spec = runner.setup("charades_sta").spec
    assert (spec.model, spec.to_json()["commits"]) == (NAME, {NAME: COMMIT})
    local = RunOptions(str(model), data_root=tmp_path / "data", engine="transformers")
    with closing(Runner(local, Registry.discover())) as runner:
        assert "commits" not in runner.setup("charades_sta").spec.to_json()


def test_the_base_of_a_lora_may_be_in_the_cache(cache: Path, model: Path, tmp_path: Path) -> None:
    folder = lay_out(cache, model)
    settings = {"base_model_name_or_path": NAME, "revision": COMMIT, "peft_type": "LORA"}
    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "adapter_config.json").write_text(json.dumps(settings))
    checkpoint, _ = resolve("lora", Registry.discover())
    assert (checkpoint.path, checkpoint.lora) == (folder, Path("lora"))
    assert (checkpoint.name, checkpoint.commits) == (f"lora+{NAME}", {NAME: COMMIT})


def test_the_command_line_fetches_a_model(model: Path, tmp_path: Path, server: HubServer) -> None:
    """In a process of its own, set up by the variables of huggingface_hub."""
    fakes.install("fakes", "tests.fakes", tmp_path / "site")
    server.repositories[NAME] = model
    server.gated.add(NAME)
    command = [
        *(sys.executable, "-c", MAIN, "--model", NAME, "--tasks", "charades_sta"),
        *("--data-root", str(write_charades(tmp_path / "data")), "--engine", "fake"),
        *("--plan", "--json", "-"),
    ]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("HF_")},
        **{"HF_ENDPOINT": server.root, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN},
        "VTG_EVAL_CACHE": str(tmp_path / "cache"),
        "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{REPOSITORY}",
    }
    for _ in range(2):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert "alice_tiny-charades_sta" in json.loads(done.stdout)["folder"]
        environment["HF_HUB_OFFLINE"] = "1"
    assert TOKEN not in done.stdout
