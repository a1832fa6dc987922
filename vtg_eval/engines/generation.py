"""A checkpoint's generation settings as both engines use them, so that they stop alike."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table

GENERATION_FILE = "generation_config.json"
STOPS = "eos_token_id"
_NUMBER = int | float | None
KINDS = {
    STOPS: int | None,
    "do_sample": bool | None,
    "temperature": _NUMBER,
    "top_p": _NUMBER,
    "top_k": int | None,
    "repetition_penalty": _NUMBER,
}


def generation_settings(checkpoint: Path) -> dict[str, Any]:
    """Return the checkpoint's generation_config.json, empty where it has none.

    Raises UserError where a setting that an engine uses has a value of the wrong kind.
    """
    settings = checkpoint_table(checkpoint / GENERATION_FILE)
    for name, value in settings.items():
        stops = value if name == STOPS and isinstance(value, list) else [value]
        if name in KINDS and not all(isinstance(stop, KINDS[name]) for stop in stops):
            raise UserError(
                f"{checkpoint / GENERATION_FILE}: {name} is {value!r:.40}, which is no value for "
                "it. Correct it, or fetch the checkpoint again."
            )
    return settings


def stop_ids(settings: dict[str, Any], tokenizer_eos: int | None) -> list[int]:
    """Return the tokens that end an answer: the settings' and the tokenizer's."""
    setting = settings.get(STOPS)
    tokens: Iterable[Any] = setting if isinstance(setting, list) else (setting,)
    return sorted({int(token) for token in (*tokens, tokenizer_eos) if token is not None})


def sample_seed(seed: int, sample_id: str) -> int:
    """Return the seed for one sample's answer: the same in any batch, order or resumed run."""
    digest = hashlib.sha256(f"{seed}:{sample_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big")
