"""The LaTeX tables go through pdfLaTeX: `apt-get install texlive-latex-recommended`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from vtg_eval.leaderboard.documents import Document, DocumentTable, Section, TableCell
from vtg_eval.leaderboard.latex import latex

from tests.leaderboard_case import HOSTILE

COMMITTED = Path(__file__).parents[2] / "docs" / "leaderboard"
HEAD = r"\documentclass{article}\usepackage{booktabs,hyperref,textcomp}\begin{document}"

pytestmark = pytest.mark.skipif(
    shutil.which("pdflatex") is None, reason="pdflatex is not installed"
)


def typeset(folder: Path, files: list[Path]) -> str:
    """Typeset a document that includes the files; return its log."""
    parts = [HEAD, *(rf"\input{{{file}}}\clearpage" for file in files), r"\end{document}"]
    (folder / "all.tex").write_text("\n".join(parts), encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all"]
    process = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "all.log").read_text(errors="replace")
    assert process.returncode == 0, log[-3000:]
    return log


def test_the_committed_tables_are_typeset(tmp_path: Path) -> None:
    files = sorted(COMMITTED.glob("*.tex"))
    assert files
    assert "Missing character" not in typeset(tmp_path, files)


def test_hostile_texts_are_typeset(tmp_path: Path) -> None:
    for number, text in enumerate([*HOSTILE, "[3pt] in brackets", "*", "", "~^\\"]):
        cells = (TableCell(text), TableCell(text, order=1.0))
        table = DocumentTable((text, text), (cells, cells))
        page = Document("x", text, (text,), (Section(text, (), table),))
        (tmp_path / f"{number:02}.tex").write_text(latex(page), encoding="utf-8")
    typeset(tmp_path, sorted(tmp_path.glob("*.tex")))
