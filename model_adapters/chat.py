"""A checkpoint's chat markup: its own template, rendered, and text that cannot break out of it."""

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
    """Text without control tokens, and how many were broken up in it."""

    text: str
    broken: int


class ChatMarkup:
    """The markup of one checkpoint, read from its small files.

    `control` are strings that its tokenizer turns into single tokens of a meaning: those that
    its files name, and `control` as given. Raises UserError where there is no template.
    """

    def __init__(self, folder: Path, control: tuple[str, ...]) -> None:
        self._template = _template(folder)
        tokens = {token for token in (*control, *_added_tokens(folder)) if len(token) > 1}
        longest_first = sorted(tokens, key=lambda token: (-len(token), token))
        self._control = re.compile("|".join(map(re.escape, longest_first)))

    def escape_special_tokens(self, text: str) -> EscapedText:
        """Put a space into every control token in `text`, so that it is read as plain text."""
        broken = 0
        while True:  # breaking one may leave another that overlapped it
            text, found = self._control.subn(lambda match: _split(match[0]), text)
            broken += found
            if not found:
                return EscapedText(text, broken)

    def render(self, messages: list[dict[str, Any]]) -> str:
        """Return the messages as the checkpoint's template writes them, ready for the answer.

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
            raise UserError(f"The checkpoint's chat template cannot be rendered: {exc}") from exc
        return str(text)


def _split(token: str) -> str:
    return f"{token[0]} {token[1:]}"


def _template(folder: Path) -> str:
    file = folder / TEMPLATE_FILE
    if file.is_file():
        return file.read_text(encoding="utf-8")
    for name in TEMPLATE_TABLES:
        template = checkpoint_table(folder / name).get("chat_template")
        if isinstance(template, list):  # several, by name
            template = next((t["template"] for t in template if t.get("name") == "default"), None)
        if isinstance(template, str):
            return template
    raise UserError(f"{folder} has no chat template ({TEMPLATE_FILE}); fetch the whole checkpoint.")


def _added_tokens(folder: Path) -> set[str]:
    listed = checkpoint_table(folder / "tokenizer.json").get("added_tokens", [])
    mapped = checkpoint_table(folder / "tokenizer_config.json").get("added_tokens_decoder", {})
    return {str(token["content"]) for token in (*listed, *mapped.values())}
