"""A checkpoint's chat template: what it writes before and after a question."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

from vtg_eval.adapter import Thinking
from vtg_eval.errors import UserError
from vtg_eval.files.json_files import checkpoint_table
from vtg_eval.parsing.final_answer import open_thought

TEMPLATE_FILE = "chat_template.jinja"
# Files that carry the template under the key "chat_template", the newer form first.
TEMPLATE_TABLES = ("chat_template.json", "tokenizer_config.json")
REMEDY = "Fetch the checkpoint again, or correct the template."

SWITCH_POSITIONS = {"default": None, "on": True, "off": False}

SCRIPT = Path(__file__).with_name("template_process.py")
WALL_SECONDS = 60.0  # the script has its own limit of CPU time

# The question's place in a rendered prompt. Templates that strip white space take the outer marks.
QUESTION, BLANK = "Question4711", "\v"

Layout = Literal["video-first", "text-first", "text-only"]
VIDEO = {"type": "video"}


class Surroundings(NamedTuple):
    """What a template writes around a question; `strips`: without white space at its ends."""

    before: str
    after: str
    strips: bool


class ChatTemplate:
    """The chat template of one checkpoint, read from its small files.

    It is rendered once for each system message and layout, with a mark in the question's place, in
    a process with limits on time, memory and size. So it never sees the text of a sample. Raises
    UserError where there is no template, or none that can be used.
    """

    def __init__(self, folder: Path, thinking: Thinking = "default") -> None:
        """thinking: the position of the template's switch; UserError where it has none."""
        self._path, self._template = read_template(folder)
        self._tokens = _tokens(folder)
        self._thinking = thinking
        self._surroundings: dict[tuple[str, Layout], Surroundings] = {}
        self.around("", "video-first")

    @property
    def thinks_by_default(self) -> bool:
        """Whether a model thinks where the switch is left as it is, or the template has none."""
        messages = _messages("", "video-first")
        rendered = self._run(messages, "default")
        if open_thought(rendered["prompt"]):
            return True
        off = self._run(messages, "off") if rendered["switch"] else rendered
        return bool(rendered["prompt"] != off["prompt"])

    def around(self, system: str, layout: Layout) -> Surroundings:
        """Return what is written around the question; raises UserError as the class does."""
        key = (system, layout)
        if key not in self._surroundings:
            self._surroundings[key] = self._rendered(system, layout)
        return self._surroundings[key]

    def _rendered(self, system: str, layout: Layout) -> Surroundings:
        if not system:
            return self._around(_messages("", layout))
        # templates that read the content as a list of parts write nothing for plain text
        for message in (system, [{"type": "text", "text": system}]):
            around = self._around(_messages(message, layout))
            if system.strip() in around.before:
                return around
        raise UserError(
            f"The chat template in {self._path} does not write the protocol's system message. "
            f"{REMEDY}"
        )

    def _around(self, messages: list[dict[str, Any]]) -> Surroundings:
        rendered = self._run(messages, self._thinking)
        if self._thinking != "default" and not rendered["switch"]:
            raise UserError(
                f"The chat template in {self._path} has no switch for thinking: leave out "
                "--thinking."
            )
        before, *others = rendered["prompt"].split(QUESTION)
        if len(others) != 1:
            raise UserError(
                f"The chat template in {self._path} does not write the question once and "
                f"unchanged. {REMEDY}"
            )
        if before.endswith(BLANK) and others[0].startswith(BLANK):
            return Surroundings(before[: -len(BLANK)], others[0][len(BLANK) :], strips=False)
        return Surroundings(before, others[0], strips=True)

    def _run(self, messages: list[dict[str, Any]], thinking: Thinking) -> dict[str, Any]:
        """Return the `prompt`, up to the answer, and whether the template has a `switch`."""
        if find_spec("jinja2") is None:
            raise UserError('A model\'s prompt needs the extra hf (README, "Install").')
        task = {
            "template": self._template,
            "messages": messages,
            "tokens": self._tokens,
            "thinking": SWITCH_POSITIONS[thinking],
        }
        try:
            answer = json.loads(_process_output(json.dumps(task)))
        except (subprocess.SubprocessError, ValueError) as exc:
            raise UserError(
                f"The chat template in {self._path} cannot be rendered within the limits of time "
                f"and memory. {REMEDY}"
            ) from exc
        if "error" in answer:
            raise UserError(
                f"The chat template in {self._path} cannot be rendered: {answer['error']}. {REMEDY}"
            )
        return dict(answer)


@lru_cache(maxsize=256)
def _process_output(task: str) -> str:
    """Return what the script writes for a task; the same task is done once."""
    done = subprocess.run(
        [sys.executable, "-P", str(SCRIPT)],
        input=task,
        capture_output=True,
        text=True,
        timeout=WALL_SECONDS,
        check=True,
    )
    return done.stdout


def _messages(system: str | list[dict[str, str]], layout: Layout) -> list[dict[str, Any]]:
    """Return a conversation with a mark in the question's place; system: text, or its parts."""
    text = {"type": "text", "text": f"{BLANK}{QUESTION}{BLANK}"}
    content = {
        "video-first": [VIDEO, text],
        "text-first": [text, VIDEO],
        "text-only": [text],
    }[layout]
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system:
        messages.insert(0, {"role": "system", "content": system})
    return messages


def _tokens(folder: Path) -> dict[str, str]:
    """Return the tokenizer's tokens by their names, such as "bos_token"."""
    listed = checkpoint_table(folder / "tokenizer_config.json")
    contents = {
        name: token.get("content") if isinstance(token, dict) else token
        for name, token in listed.items()
        if name.endswith("_token")
    }
    return {name: text for name, text in contents.items() if isinstance(text, str)}


def read_template(folder: Path) -> tuple[Path, str]:
    """Return the file that a checkpoint's template is in, and the template."""
    file = folder / TEMPLATE_FILE
    if file.is_file():
        try:
            return file, file.read_text(encoding="utf-8")
        except (OSError, ValueError) as exc:
            raise UserError(f"{file} cannot be read: {exc}. Fetch the checkpoint again.") from exc
    for name in TEMPLATE_TABLES:
        template = checkpoint_table(folder / name).get("chat_template")
        if isinstance(template, list):  # several, by name
            template = {t.get("name"): t.get("template") for t in template if isinstance(t, dict)}
            template = template.get("default")
        if isinstance(template, str):
            return folder / name, template
    raise UserError(f"{folder} has no chat template ({TEMPLATE_FILE}); fetch the whole checkpoint.")
