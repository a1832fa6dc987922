"""What a checkpoint's own file sets differently from its family.

A checkpoint's `vtg_eval_profile.toml` may bound the size of frames, set their rate and put a
prefix before the prompt: what it sets holds under every protocol. It may also name a profile
(`vtg_eval.profile`), which `choose_profile` looks up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, TypeVar

from msgspec import Meta

from vtg_eval.files.toml_tables import converted, load_toml
from vtg_eval.protocol import PromptRule, ResolvedProtocol

WORDINGS = ("text", "choice", "grounded_choice")
PROFILE_FILE = "vtg_eval_profile.toml"
Tokens = Annotated[int, Meta(gt=0)]
Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Profile:
    """What the checkpoint sets; None leaves the protocol's value.

    min_tokens, max_tokens, total_tokens, fps: as in `FrameRule`. prompt_prefix: put before the
    protocol's prompt. profile: the named profile by which it is asked.
    """

    min_tokens: Tokens | None = None
    max_tokens: Tokens | None = None
    total_tokens: Tokens | None = None
    fps: Annotated[float, Meta(gt=0)] | None = None
    prompt_prefix: str = ""
    profile: str = ""

    def applied(self, protocol: ResolvedProtocol) -> ResolvedProtocol:
        """Return the protocol as it holds for this checkpoint."""
        frames = protocol.frames
        return replace(
            protocol,
            frames=replace(
                frames,
                min_tokens=_or(self.min_tokens, frames.min_tokens),
                max_tokens=_or(self.max_tokens, frames.max_tokens),
                total_tokens=_or(self.total_tokens, frames.total_tokens),
                fps=_or(self.fps, frames.fps),
            ),
            prompt=self._prefixed(protocol.prompt),
        )

    def _prefixed(self, rule: PromptRule) -> PromptRule:
        texts = {name: getattr(rule, name) for name in WORDINGS}
        return replace(rule, **{n: self.prompt_prefix + text for n, text in texts.items() if text})


def load_profile(*folders: Path | None) -> Profile:
    """Read a checkpoint's profile from the first folder that has one; an empty one without.

    Raises UserError that names the file and the key.
    """
    paths = (folder / PROFILE_FILE for folder in folders if folder)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return Profile()
    return load_toml(path, "a profile", lambda table: converted(table, Profile))


def _or(value: Number | None, default: Number) -> Number:
    return default if value is None else value
