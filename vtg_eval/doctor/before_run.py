"""The time check before a run: made once for all that it depends on, then remembered."""

from __future__ import annotations

import hashlib
import inspect
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from vtg_eval.doctor.findings import FINDINGS, NOT_TOLD, Finding
from vtg_eval.doctor.input_times import declared_encoding
from vtg_eval.doctor.time_check import ClockResult, TimeCheck, examine
from vtg_eval.errors import UserError
from vtg_eval.files.digests import canonical, sha256
from vtg_eval.files.json_files import read_object, write_json
from vtg_eval.registry import Registry
from vtg_eval.run.manifest import TimesCheck, package_versions
from vtg_eval.run.paths import cache_folder
from vtg_eval.run.setup import Model, RunSetup
from vtg_eval.types import OutputType

# packages that turn frames and text into a model's input
PACKAGES = ("vtg-eval", "transformers", "tokenizers", "torch", "torchvision", "av", "numpy")
ASK_FOR_TIMES = (OutputType.SPANS, OutputType.BOTH)


class RunTimes:
    """Checks a run's model before any video of its task is read.

    unchecked: the user wants no check (`--unchecked-times`).
    """

    def __init__(self, registry: Registry, unchecked: bool = False) -> None:
        self._registry = registry
        self._unchecked = unchecked
        self._made: dict[str, TimesCheck] = {}

    def __call__(self, model: Model, setup: RunSetup) -> TimesCheck:
        """Return what the check found; raises UserError where the model is told false times."""
        if reason := self._unneeded(model, setup):
            return TimesCheck("not checked", reason)
        digest = self._digest(model, setup)
        if digest not in self._made:
            self._made[digest] = _remembered(digest) or self._check(model, setup, digest)
        check = self._made[digest]
        if check.result == "not true":
            raise UserError(_refusal(model, check))
        return check

    def _unneeded(self, model: Model, setup: RunSetup) -> str:
        """Return why there is nothing to check, "" where there is."""
        if self._unchecked:
            return "--unchecked-times"
        if not model.adapter.needs_frames:
            return "the model sees no frames"
        if model.checkpoint.path is None:
            return "the model's processor is not on this machine"
        if declared_encoding(model.adapter) is None:
            return "the adapter does not say how it tells times"
        if not any(sample.asks in ASK_FOR_TIMES for sample in setup.samples):
            return "the task asks for no times"
        return ""

    def _check(self, model: Model, setup: RunSetup, digest: str) -> TimesCheck:
        decoder = self._registry.decoder(setup.spec.decoder or "pyav")()
        with tempfile.TemporaryDirectory(prefix="vtg-eval-times-") as folder:
            results = examine(
                model.checkpoint,
                model.adapter,
                setup.spec.protocol,
                TimeCheck(decoder, Path(folder)),
                setup.spec.trust_remote_code,
            )
        check = TimesCheck(
            result="true" if all(result.true for result in results) else "not true",
            clocks=tuple(result.clock for result in results),
            findings=_names(results),
            digest=digest,
        )
        path = _entry(digest)
        with suppress(UserError, OSError):  # without a cache it is made again next time
            path.parent.mkdir(parents=True, exist_ok=True)
            write_json(path, msgspec.to_builtins(check))
        return check

    def _digest(self, model: Model, setup: RunSetup) -> str:
        """Return the digest of everything that the result depends on."""
        protocol, owner = setup.spec.protocol, self._registry.provided("adapter").owners
        plugin = owner[model.adapter_name]
        parts: dict[str, Any] = {
            "checkpoint": model.digest,
            "adapter": [model.adapter_name, plugin.package, plugin.version, _source(model.adapter)],
            "options": [model.adapter.time_text, model.adapter.thinking],
            "decoder": self._registry.decoder(setup.spec.decoder or "pyav")().identity,
            "frames": protocol.frames,
            "prompt": protocol.prompt,
            "trust": setup.spec.trust_remote_code,
            "versions": package_versions(PACKAGES),
        }
        return sha256(canonical(parts))


def _remembered(digest: str) -> TimesCheck | None:
    """Return the outcome of an earlier check, None where there is none that can be read."""
    with suppress(UserError, msgspec.ValidationError):
        table = read_object(_entry(digest), "")
        return msgspec.convert(table, TimesCheck) if table else None
    return None


def _entry(digest: str) -> Path:
    return cache_folder() / "times" / f"{digest}.json"


def _names(results: Sequence[ClockResult]) -> tuple[str, ...]:
    return tuple({result.finding.name: None for result in results if result.finding is not None})


def _refusal(model: Model, check: TimesCheck) -> str:
    findings = [one for one in FINDINGS if one.name in check.findings and one.serious]
    if findings == [NOT_TOLD]:
        return (
            f"{model.name} is not told when its frames are shown, and the task asks for times: use "
            "--time-text header, or --unchecked-times to run all the same."
        )
    sentences = " ".join(map(_sentence, findings))
    return (
        f"{model.name} is told times that are not true. {sentences} `vtg-eval doctor time "
        f"{model.checkpoint.reference}` shows them; --unchecked-times runs it all the same."
    )


def _sentence(finding: Finding) -> str:
    return f"{finding.name}: {finding.meaning} {finding.remedy}"


def _source(adapter: object) -> str:
    """Return a digest of the adapter's package and of the modules of its base classes.

    An author changes them between releases, not only the adapter's own module.
    """
    files = set[Path]()
    for kind in type(adapter).__mro__[:-1]:
        with suppress(OSError, TypeError):
            files.add(Path(inspect.getfile(kind)))
    package = sys.modules.get(type(adapter).__module__.partition(".")[0])
    for folder in getattr(package, "__path__", ()):
        files.update(Path(folder).rglob("*.py"))
    digest = hashlib.sha256()
    for path in sorted(files):
        with suppress(OSError):
            digest.update(path.read_bytes())
    return digest.hexdigest()
