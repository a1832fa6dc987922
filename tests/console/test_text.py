import subprocess
import sys

import pytest

from vtg_eval.console.text import error_line, visible, visible_lines

INVISIBLE = (
    *("\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9b", "\xad", "\n", "\t", "\r"),
    *("\u200b", "\u200e", "\u200f", "\u061c", "\u2028", "\u2029", "\u2060", "\u2063", "\ufeff"),
    *("\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"),
    *("\ufff9", "\u3164", "\U000e0041", "\U000e0100", "\ud800", "\udfff"),
)


@pytest.mark.parametrize("character", INVISIBLE, ids=ascii)
def test_an_invisible_character_is_escaped(character: str) -> None:
    text = visible(f"a{character}b é")
    assert text.isprintable() and text.startswith("a\\") and text.endswith("b é")
    assert text[1:-3] in (f"\\x{ord(character):02x}", ascii(character)[1:-1])


@pytest.mark.parametrize(
    "text",
    [
        "plain text, 100 % – “quoted”",
        "شخص يفتح الباب",
        "می‌خواهم",
        "אדם פותח דלת",
        "क्‍ष",
        "👩‍🍳 and 👨‍👩‍👧",
        "❤️ 1️⃣ #️⃣",
        "人打开门",
        "C:\\path\\u202e",
    ],
)
def test_what_scripts_and_emoji_need_stays(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize("text", ["mo\u200ddel", "\u200cx", "é\u200d\u200dx", "a\ufe0fb"])
def test_joiners_and_selectors_that_nothing_needs_are_escaped(text: str) -> None:
    assert visible(text).count("\\u") == 1


def test_lines_stay_lines() -> None:
    assert visible_lines("a\nb\r\u202e") == "a\nb\\r\\u202e"


def test_an_error_is_one_line_of_limited_length() -> None:
    assert error_line(ValueError("a\nb\x1b")) == "ValueError: a b\\x1b"
    assert error_line(KeyError()) == "KeyError"
    assert len(error_line(ValueError("x" * 10_000))) < 650


@pytest.mark.parametrize("closed", ["2>&-", ">&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_error(closed: str) -> None:
    code = "import sys; from vtg_eval.cli import main; sys.exit(main())"
    command = f"{sys.executable} -c '{code}' protocols {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    code = "import sys; from vtg_eval.cli import main; sys.exit(main())"
    command = f"{sys.executable} -c '{code}' protocols > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line
