from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests import fakes
from tests.fakes import ARCHITECTURE, make_registry
from vtg_eval.errors import PluginError, UserError
from vtg_eval.hookspecs import AdapterEntry, Entry, hookimpl


def provides(hook: str, *things: Any) -> Any:
    """Return a plug-in with one hook."""

    def provide(self: object) -> Sequence[Any]:
        return things

    return type("Plugin", (), {hook: hookimpl(provide)})()


def entry(name: str, target: str = "tests.fakes:TASK") -> Entry:
    return Entry(name, target, "a test")


def test_listing_tasks_imports_none() -> None:
    registry = make_registry(provides("vtg_tasks", entry("lazy", "no_such_module:TASK")))
    assert "lazy" in registry.tasks
    with pytest.raises(UserError, match='The task "lazy" cannot be used here'):
        registry.task("lazy")


def test_a_missing_object_is_named() -> None:
    registry = make_registry(provides("vtg_tasks", entry("gone", "tests.fakes:GONE")))
    with pytest.raises(UserError, match='The task "gone" names a missing object'):
        registry.task("gone")


@pytest.mark.parametrize(
    ("kind", "asked", "nearest"),
    [
        ("task", "fake_vgt", "fake_vtg"),
        ("engine", "transfomers", "transformers"),
        ("decoder", "fak", "fake"),
        ("adapter", "qwen3_v1", "qwen3_vl"),
        ("protocol", "strict2", "strict@2"),
    ],
)
def test_an_unknown_name_gets_the_nearest(kind: str, asked: str, nearest: str) -> None:
    registry = make_registry(fakes)
    with pytest.raises(UserError) as caught:
        getattr(registry, kind)(asked)
    assert f'no {kind} "{asked}"' in str(caught.value)
    assert f'Did you mean "{nearest}"?' in str(caught.value)


def test_a_name_far_from_all_gets_the_list() -> None:
    with pytest.raises(UserError, match=r"Known: .*charades_sta, .*fake_vtg"):
        make_registry(fakes).task("zzzzzz")


def test_of_two_plug_ins_of_one_name_neither_is_used(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (provides("vtg_tasks", entry("same"), entry(f"own{k}")) for k in range(2))
    registry = make_registry(one, two)
    assert {"own0", "own1"} <= registry.tasks.keys()
    assert 'provides the task "same", as does the plug-in' in capsys.readouterr().err
    with pytest.raises(PluginError, match=r'The task "same" is left out: .* VTG_EVAL_PLUGINS'):
        registry.task("same")


def test_a_built_in_name_cannot_be_taken(capsys: pytest.CaptureFixture[str]) -> None:
    registry = make_registry(provides("vtg_tasks", entry("charades_sta")))
    assert registry.task("charades_sta").card.name == "charades_sta"
    assert "the built-in one is used" in capsys.readouterr().err


def test_an_adapter_is_found_by_architecture() -> None:
    registry = make_registry(fakes)
    assert registry.adapter_for([ARCHITECTURE]).name == "fake"
    assert registry.adapter_for(["Qwen3VLForConditionalGeneration"]).name == "qwen3_vl"


@pytest.mark.parametrize("architectures", [["LlamaForCausalLM"], []])
def test_an_unsupported_architecture_names_the_supported(architectures: list[str]) -> None:
    with pytest.raises(UserError, match=f"Supported: {ARCHITECTURE}, Qwen2VL"):
        make_registry(fakes).adapter_for(architectures)


def test_a_protocol_of_a_third_party_is_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine@1"\nsummary = "s"\nsource = "here"\n[frames]\nfps = 4\n')
    registry = make_registry(provides("vtg_protocols", path))
    assert registry.protocol("mine@1").without_task.frames.fps == 4.0


def test_a_broken_protocol_costs_itself_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, good = tmp_path / "broken.toml", tmp_path / "good.toml"
    broken.write_text('name = "mine@1"\nsummary = 5\n')
    good.write_text('name = "good@1"\nsummary = "s"\nsource = "here"\n')
    registry = make_registry(provides("vtg_protocols", broken, tmp_path / "gone.toml", 5, good))
    assert {"good@1", "strict@1"} <= registry.protocols.keys()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3 and all("test_registry of third" in line for line in lines)
    assert f"{broken}: not a protocol" in lines[0] and f"{tmp_path / 'gone.toml'}" in lines[1]
    for name, file in (("mine@1", broken), ("gone", tmp_path / "gone.toml")):
        with pytest.raises(PluginError, match=f'The protocol "{name}" is left out: {file}'):
            registry.protocol(name)


def test_an_adapter_entry_names_its_engine() -> None:
    plugin = provides("vtg_adapters", AdapterEntry("own", "a:B", "s", engine="replay"))
    assert make_registry(plugin).adapters["own"].engine == "replay"
