"""The chat template of a checkpoint, rendered in its own process."""

import json
from pathlib import Path

import pytest

pytest.importorskip("jinja2", reason="needs the extra hf")

from vtg_eval.errors import UserError
from vtg_eval.model_input.chat_template import ChatTemplate

PLAIN = "{% for part in messages[0].content %}{{ part.text or '<v>' }}{% endfor %}"


def template(folder: Path, text: str) -> ChatTemplate:
    (folder / "chat_template.jinja").write_text(text, encoding="utf-8")
    return ChatTemplate(folder)


def test_the_question_stands_where_the_template_puts_it(tmp_path: Path) -> None:
    chat = template(tmp_path, f"[{PLAIN}] {{% if add_generation_prompt %}}A:{{% endif %}}")
    assert chat.around("", "video-first") == ("[<v>", "] A:", False)
    assert chat.around("", "text-first") == ("[", "<v>] A:", False)


def test_a_template_that_strips_the_question_gets_it_stripped(tmp_path: Path) -> None:
    text = "[INST] {% for p in messages[0].content %}{{ p.text|trim }}{% endfor %} [/INST]"
    chat = template(tmp_path, text)
    assert chat.around("", "video-first") == ("[INST] ", " [/INST]", True)


def test_the_system_message_comes_first(tmp_path: Path) -> None:
    system = "{% if messages[0].role == 'system' %}{{ messages[0].content }}|{% endif %}"
    chat = template(tmp_path, system + "{{ messages[-1].content[1].text }}")
    assert chat.around("", "video-first") == ("", "", False)
    assert chat.around("Be brief.", "video-first") == ("Be brief.|", "", False)


def test_a_template_that_reads_parts_only_gets_the_system_message_as_one(tmp_path: Path) -> None:
    chat = template(tmp_path, "{% for m in messages %}{{ m.content[-1].text }}|{% endfor %}")
    assert chat.around("Be brief.", "video-first") == ("Be brief.|", "|", False)


def test_a_system_message_that_the_template_drops_is_an_error(tmp_path: Path) -> None:
    chat = template(tmp_path, "{{ messages[-1].content[1].text }}")
    with pytest.raises(UserError, match="does not write the protocol's system message"):
        chat.around("Be brief.", "video-first")


def test_the_tokenizers_tokens_have_their_names(tmp_path: Path) -> None:
    config = {"bos_token": "<s>", "image_token": {"content": "<i>"}, "add_bos_token": True}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    text = "{{ bos_token }}{{ image_token }}{{ add_bos_token }}{{ messages[0].content[1].text }}"
    assert template(tmp_path, text).around("", "video-first") == ("<s><i>", "", False)


def test_what_transformers_offers_templates_is_there(tmp_path: Path) -> None:
    text = (
        "{% for p in messages[0].content %}{% if p.type == 'video' %}{% continue %}{% endif %}"
        "{% generation %}{{ p.text }}{% endgeneration %}{% endfor %}\n"
        "{{ {'b': 'é', 'a': 1}|tojson(sort_keys=true) }} {{ strftime_now('%Y')|length }}"
    )
    chat = template(tmp_path, text)
    assert chat.around("", "video-first") == ("", '{"a": 1, "b": "é"} 4', False)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chat_template.json", {"chat_template": "J{{ messages[0].content[1].text }}"}),
        (
            "tokenizer_config.json",
            {
                "chat_template": [
                    {"name": "tool_use", "template": "no"},
                    {"name": "default", "template": "J{{ messages[0].content[1].text }}"},
                ]
            },
        ),
    ],
)
def test_older_files_hold_the_template_too(name: str, content: object, tmp_path: Path) -> None:
    (tmp_path / name).write_text(json.dumps(content))
    assert ChatTemplate(tmp_path).around("", "video-first") == ("J", "", False)


def test_a_template_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chat_template.jinja").write_bytes(b"\xff\xfe{{ messages }}")
    with pytest.raises(UserError, match=r"chat_template\.jinja cannot be read: .*Fetch the checkp"):
        ChatTemplate(tmp_path)
