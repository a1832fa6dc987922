"""Files are not written through symbolic links."""

from __future__ import annotations

from pathlib import Path

import pytest

from vtg_eval.errors import UserError
from vtg_eval.files.links import refuse_links


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "file").write_text("kept")
    return folder


def test_the_root_itself_may_be_a_link(tmp_path: Path, outside: Path) -> None:
    root = tmp_path / "root"
    root.symlink_to(outside)
    refuse_links(root, root / "deep" / "file")


@pytest.mark.parametrize("name", ["link", "link/deep/file"])
def test_a_link_below_the_root_is_refused(tmp_path: Path, outside: Path, name: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for target in (outside, outside / "nothing"):
        (root / "link").symlink_to(target)
        with pytest.raises(UserError, match=r"root/link is a link.*--data-root"):
            refuse_links(root, root / name)
        (root / "link").unlink()
