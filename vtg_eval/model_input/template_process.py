"""Renders a chat template; a script, run as a process of its own so that its limits hold.

Reads {"template", "messages", "tokens", "thinking"} as JSON from standard input and writes
{"prompt", "switch"} or {"error"}. `tokens` are the tokenizer's, by the names that templates use;
`thinking` is true, false or null, the template's default; `switch` tells whether the template has
that switch. A template is data from a checkpoint: Jinja's sandbox keeps it from Python's objects,
the limits keep it from the machine's time and memory. It is rendered as transformers does, with the
same names and the same treatment of white space.
"""

from __future__ import annotations

import json
import resource
import sys
from datetime import datetime
from typing import Any

SWITCHES = ("enable_thinking", "thinking")  # names of the switch in the templates of families
SECONDS, MEMORY, CHARACTERS = 3, 1 << 29, 1 << 20  # CPU time; bytes; of the prompt


def main() -> None:
    """Set the limits, render, write."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    request = json.load(sys.stdin)
    answer: dict[str, Any]
    try:
        answer = _render(**request)
    except MemoryError:
        answer = {"error": f"it takes more than {MEMORY >> 20} MiB of memory"}
    except Exception as exc:  # a template may raise anything
        answer = {"error": " ".join(f"{type(exc).__name__}: {exc}".split())[:300].rstrip(".")}
    json.dump(answer, sys.stdout)


def _render(
    template: str,
    messages: list[dict[str, Any]],
    tokens: dict[str, str],
    thinking: bool | None,
) -> dict[str, Any]:
    from jinja2 import TemplateError, meta, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.parser import Parser
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}`: marks the answer for training; its content is rendered as it is."""

        tags = {"generation"}  # noqa: RUF012 - as the base class has it

        def parse(self, parser: Parser) -> list[nodes.Node]:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    switches = meta.find_undeclared_variables(environment.parse(template)).intersection(SWITCHES)
    positions = {} if thinking is None else dict.fromkeys(switches, thinking)
    names = {**tokens, **positions, "messages": messages, "add_generation_prompt": True}
    prompt = environment.from_string(template).render(tools=None, documents=None, **names)
    if len(prompt) > CHARACTERS:
        raise ValueError(f"the prompt has more than {CHARACTERS:,} characters")
    return {"prompt": prompt, "switch": bool(switches)}


if __name__ == "__main__":
    main()
