"""A data root of Charades-STA with one video that can be read."""

from __future__ import annotations

from pathlib import Path

from tests.fakes import film


def write_charades(root: Path) -> Path:
    """Write annotations of one video of 6 s, and the video; return the data root."""
    folder = root / "charades_sta"
    (folder / "videos").mkdir(parents=True)
    (folder / "Charades_v1_test.csv").write_text("id,length\nA0001,6.0\n")
    (folder / "charades_sta_test.txt").write_text(
        "A0001 1.0 4.0##a person opens a door\nA0001 2.0 5.0##the light goes out\n"
    )
    (folder / "videos" / "A0001.mp4").write_bytes(film(6.0))
    return root
