from vtg_eval.errors import LONGEST, one_line


def test_a_librarys_message_is_one_line_that_keeps_its_end() -> None:
    assert one_line("a\n  b\tc ") == "a b c"
    cut = one_line("It failed. " + "detail " * 500 + "Install the package x.")
    assert cut.startswith("It failed. ")
    assert cut.endswith("Install the package x.")
    assert len(cut) <= LONGEST + len(" … ")
