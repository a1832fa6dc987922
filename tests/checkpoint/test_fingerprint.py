from pathlib import Path

import pytest

from vtg_eval.checkpoint import fingerprint
from vtg_eval.checkpoint.fingerprint import checkpoint_digest


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fingerprint, "WHOLE", 1 << 10)
    monkeypatch.setattr(fingerprint, "PROBE", 1 << 6)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(bytes(range(256)) * 64)
    return tmp_path


def test_the_digest_depends_on_the_content_only(checkpoint: Path, tmp_path: Path) -> None:
    before = checkpoint_digest(checkpoint)
    (checkpoint / "config.json").write_text("{}")
    (checkpoint / "README.md").write_text("about")
    (checkpoint / "logs").mkdir()
    assert checkpoint_digest(checkpoint.rename(tmp_path.parent / "moved")) == before


@pytest.mark.parametrize("change", ["config", "header", "last bytes", "another training step"])
def test_any_change_of_a_model_changes_the_digest(checkpoint: Path, change: str) -> None:
    before, weights = checkpoint_digest(checkpoint), checkpoint / "model.safetensors"
    content = bytearray(weights.read_bytes())
    match change:
        case "config":
            (checkpoint / "config.json").write_text("{ }")
        case "header":
            content[8] ^= 1
        case "last bytes":
            content[-1] ^= 1
        case "another training step":
            content[1024:] = bytes(b ^ 3 for b in content[1024:])
    weights.write_bytes(content)
    assert checkpoint_digest(checkpoint) != before
