"""A checkpoint's chat template, and escaping of special tokens in text that goes into it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table

TEMPLATE_FILE = "chat_template.jinja"
# Files that carry the template under the key "chat_template", the newer form first.
TEMPLATE_TABLES = ("chat_template.json", "tokenizer_config.json")


class EscapedText(NamedTuple):
    """Text without special tokens, and how many were escaped in it."""

    text: str
    escaped: int


class ChatMarkup:
    """The chat template and special tokens of one checkpoint, read from its small files.

    Special tokens are those that its files list, and `special_tokens`. Raises UserError where
    there is no template.
    """

    def __init__(self, folder: Path, special_tokens: tuple[str, ...]) -> None:
        self._template = _template(folder)
        tokens = {token for token in (*special_tokens, *_added_tokens(folder)) if len(token) > 1}
        longest_first = sorted(tokens, key=lambda token: (-len(token), token))
        self._special = re.compile("|".join(map(re.escape, longest_first)))

    def escape_special_tokens(self, text: str) -> EscapedText:
        """Put a space into every special token in `text`, so that it is read as plain text."""
        escaped = 0
        while True:  # escaping one may leave another that overlapped it
            text, count = self._special.subn(lambda match: _split(match[0]), text)
            escaped += count
            if not count:
                return EscapedText(text, escaped)

    def render(self, messages: list[dict[str, Any]]) -> str:
        """Return the messages as the checkpoint's template writes them, up to the answer.

        Raises UserError where the template cannot be rendered.
        """
        try:
            from jinja2 import TemplateError
            from transformers.utils.chat_template_utils import render_jinja_template
        except ImportError as exc:
            raise UserError(
                f'A model\'s prompt needs the extra hf (README, "Install"): {exc}'
            ) from exc
        try:
            (text,), _ = render_jinja_template(
                [messages], chat_template=self._template, add_generation_prompt=True
            )
        except (TemplateError, TypeError, ValueError, KeyError) as exc:
            raise UserError(
                f"The checkpoint's chat template cannot be rendered: {exc}. Correct "
                f"{TEMPLATE_FILE} (or the file that holds it), or fetch the checkpoint again."
            ) from exc
        return str(text)


def _split(token: str) -> str:
    return f"{token[0]} {token[1:]}"


def _template(folder: Path) -> str:
    file = folder / TEMPLATE_FILE
    if file.is_file():
        try:
            return file.read_text(encoding="utf-8")
        except UnicodeDecodeError as exc:
            raise UserError(f"{file} is not UTF-8 ({exc}). Fetch the checkpoint again.") from exc
    for name in TEMPLATE_TABLES:
        template = checkpoint_table(folder / name).get("chat_template")
        if isinstance(template, list):  # several, by name
            named = (t for t in template if isinstance(t, dict))
            template = next((t.get("template") for t in named if t.get("name") == "default"), None)
        if isinstance(template, str):
            return template
    raise UserError(f"{folder} has no chat template ({TEMPLATE_FILE}); fetch the whole checkpoint.")


def _added_tokens(folder: Path) -> set[str]:
    """Return the texts of the added tokens; raises UserError where a file lists none properly."""
    texts: set[str] = set()
    for name, key in (
        ("tokenizer.json", "added_tokens"),
        ("tokenizer_config.json", "added_tokens_decoder"),
    ):
        value = checkpoint_table(folder / name).get(key, [])
        tokens = list(value.values()) if isinstance(value, dict) else value
        if not isinstance(tokens, list) or not all(
            isinstance(token, dict) and isinstance(token.get("content"), str) for token in tokens
        ):
            raise UserError(
                f"{folder / name}: {key} does not list tokens with their content. "
                "Fetch the checkpoint again."
            )
        texts.update(token["content"] for token in tokens)
    return texts
