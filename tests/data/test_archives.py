"""Unpacking of valid, damaged and malicious archives."""

from __future__ import annotations

import io
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vtg_eval.data import archives
from vtg_eval.data.archives import unpack
from vtg_eval.errors import UserError

FILES = {"videos/a.mp4": b"a" * 3000, "videos/deep/b.mp4": bytes(range(256)) * 9, "empty": b""}
SUFFIXES = ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")


def write_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("videos")
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path: Path, files: dict[str, bytes], *odd: tarfile.TarInfo) -> Path:
    packing = path.suffix[1:].replace("tar", "")
    with tarfile.open(path, f"w:{packing}") as archive:  # type: ignore[call-overload]
        archive.addfile(member("videos", tarfile.DIRTYPE))
        for info in odd:
            archive.addfile(info)
        for name, content in files.items():
            archive.addfile(member(name, size=len(content)), io.BytesIO(content))
    return path


def member(
    name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = ""
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.size, info.linkname = kind, size, link
    return info


def write(path: Path, files: dict[str, bytes]) -> Path:
    return (write_zip if path.suffix == ".zip" else write_tar)(path, files)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


class Workspace(NamedTuple):
    folder: Path
    archives: Path

    @property
    def outside(self) -> list[str]:
        """Return the names of the files and folders beside the two folders."""
        names = {self.folder.name, self.archives.name}
        return [p.name for p in self.folder.parent.iterdir() if p.name not in names]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("into", "archives"):
        (tmp_path / name).mkdir()
    return Workspace(tmp_path / "into", tmp_path / "archives")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_archive_is_unpacked_whole(workspace: Workspace, suffix: str) -> None:
    archive = write(workspace.archives / f"a.{suffix}", FILES)
    paths = unpack(archive, workspace.folder / "new")
    assert paths == [workspace.folder / "new" / name for name in FILES]
    assert contents(workspace.folder / "new") == FILES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_of_the_right_size_are_not_overwritten(workspace: Workspace, suffix: str) -> None:
    archive = write(workspace.archives / f"a.{suffix}", FILES)
    kept = workspace.folder / "videos" / "a.mp4"
    kept.parent.mkdir()
    kept.write_bytes(b"z" * 3000)
    (workspace.folder / "empty").write_bytes(b"not empty: cut by hand")
    before = kept.stat().st_mtime_ns
    for _ in range(2):
        assert len(unpack(archive, workspace.folder)) == 3
    assert kept.stat().st_mtime_ns == before
    assert contents(workspace.folder) == FILES | {"videos/a.mp4": b"z" * 3000}


def test_nothing_is_opened_when_every_file_is_present(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(workspace.archives / "a.zip", FILES)
    unpack(archive, workspace.folder)
    monkeypatch.setattr(archives, "_write", pytest.fail)
    unpack(archive, workspace.folder)


NAMES = [
    "../evil",
    "videos/../../evil",
    "/tmp/evil",
    "..\\evil",
    "C:\\evil",
    "c:evil",
    "\\\\server\\evil",
    "a/\x1b[2Jb",
    "..",
]


@pytest.mark.parametrize(
    ("suffix", "name"),
    [("tar.gz", "./"), *((suffix, name) for suffix in ("zip", "tar.gz") for name in NAMES)],
)
def test_a_name_that_leads_out_is_refused_before_anything_is_written(
    workspace: Workspace, suffix: str, name: str
) -> None:
    archive = write(workspace.archives / f"a.{suffix}", FILES | {name: b"evil"})
    with pytest.raises(
        UserError, match=r"a\.\S+ is refused: its member .* (folder|control)"
    ) as caught:
        unpack(archive, workspace.folder)
    assert "\x1b" not in str(caught.value)
    assert contents(workspace.folder) == {}
    assert workspace.outside == []


@pytest.mark.parametrize(
    "odd",
    [
        member("link", tarfile.SYMTYPE, link="/etc"),
        member("link", tarfile.SYMTYPE, link="videos"),
        member("link", tarfile.LNKTYPE, link="/etc/passwd"),
        member("link", tarfile.CHRTYPE),
        member("link", tarfile.BLKTYPE),
        member("link", tarfile.FIFOTYPE),
        member("link", b"Z"),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(workspace: Workspace, odd: tarfile.TarInfo) -> None:
    archive = write_tar(workspace.archives / "a.tar", FILES | {"link/passwd": b"evil"}, odd)
    with pytest.raises(UserError, match="'link' is a link or a device"):
        unpack(archive, workspace.folder)
    assert contents(workspace.folder) == {}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
@pytest.mark.parametrize("name", ["link", "link/"])
def test_links_and_devices_in_a_zip_are_refused(workspace: Workspace, kind: int, name: str) -> None:
    archive = write_zip(workspace.archives / "a.zip", FILES)
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | 0o777) << 16
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(info, "/etc")
    with pytest.raises(UserError, match="is a link or a device"):
        unpack(archive, workspace.folder)
    assert contents(workspace.folder) == {}


def test_an_encrypted_member_is_refused(workspace: Workspace) -> None:
    archive = write_zip(workspace.archives / "a.zip", {"secret": b"x"})
    content = bytearray(archive.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(UserError, match="'secret' is encrypted"):
        unpack(archive, workspace.folder)


def test_an_archive_cannot_replace_itself(workspace: Workspace) -> None:
    archive = write_zip(workspace.archives / "a.zip", {"./a.zip": b"x"})
    with pytest.raises(UserError, match="would replace the archive"):
        unpack(archive, workspace.archives)


def test_an_extreme_ratio_is_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MODEST", 1 << 20)
    bomb = {"bomb": bytes(5 << 20)}
    for suffix in ("zip", "tar.gz"):
        with pytest.raises(UserError, match=r"'bomb' .*a bomb"):
            unpack(write(workspace.archives / f"a.{suffix}", bomb), workspace.folder)
    assert contents(workspace.folder) == {}
    monkeypatch.setattr(archives, "MODEST", 6 << 20)
    assert len(unpack(workspace.archives / "a.zip", workspace.folder)) == 1


def test_a_header_that_claims_petabytes_is_refused_at_once(workspace: Workspace) -> None:
    path = workspace.archives / "a.tar"
    path.write_bytes(member("huge", size=1 << 50).tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with pytest.raises(UserError, match=r"'huge' .*a bomb"):
        unpack(path, workspace.folder)


def test_headers_of_impossible_size_are_refused(workspace: Workspace) -> None:
    path = workspace.archives / "a.tar"
    for kind, size in ((tarfile.XHDTYPE, 1 << 40), (tarfile.GNUTYPE_LONGNAME, 1 << 30)):
        path.write_bytes(member("x", kind, size).tobuf(tarfile.GNU_FORMAT) + bytes(2048))
        with pytest.raises(UserError, match="impossible size"):
            unpack(path, workspace.folder)
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        info = member("back")
        info.pax_headers = {"size": "-2048"}
        tar.addfile(info)
    with pytest.raises(UserError, match="negative size"):
        unpack(path, workspace.folder)


def test_too_many_files_are_refused(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    with pytest.raises(UserError, match="'empty'"):
        unpack(write(workspace.archives / "a.tar", FILES), workspace.folder)


def test_a_disk_that_is_too_small_is_an_error_before_the_first_byte(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5000))
    archive = write(workspace.archives / "a.zip", FILES)
    with pytest.raises(UserError, match="Make room"):
        unpack(archive, workspace.folder)
    assert contents(workspace.folder) == {}
    (workspace.folder / "videos").mkdir()
    (workspace.folder / "videos" / "a.mp4").write_bytes(FILES["videos/a.mp4"])
    unpack(archive, workspace.folder)
    assert contents(workspace.folder) == FILES


def test_an_interrupted_unpacking_is_resumed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = write(workspace.archives / "a.tar.gz", FILES)
    replace = Path.replace

    def interrupted(path: Path, target: Path) -> Path:
        if target.name == "b.mp4":
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", interrupted)
        unpack(archive, workspace.folder)
    assert contents(workspace.folder) == {"videos/a.mp4": FILES["videos/a.mp4"]}
    unpack(archive, workspace.folder)
    assert contents(workspace.folder) == FILES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_archive_is_refused_or_has_all_its_files(
    workspace: Workspace, suffix: str
) -> None:
    whole = write(workspace.archives / f"a.{suffix}", FILES).read_bytes()
    cut = workspace.archives / f"cut.{suffix}"
    damaged = 0
    lengths = {*range(0, len(whole), max(len(whole) // 25, 1)), 512, 1024, len(whole) - 1}
    for length in sorted(lengths):
        cut.write_bytes(whole[:length])
        folder = workspace.folder / str(length)
        try:
            unpack(cut, folder)
        except UserError as exc:
            assert "cut" in str(exc)
            damaged += 1
        else:
            assert contents(folder) == FILES
    assert damaged > len(lengths) / 2


def test_a_member_with_a_wrong_checksum_is_not_kept(workspace: Workspace) -> None:
    archive = workspace.archives / "a.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("good", b"good")
        file.writestr("bad", b"content")
    archive.write_bytes(archive.read_bytes().replace(b"content", b"CONTENT"))
    with pytest.raises(UserError, match="damaged at 'bad'"):
        unpack(archive, workspace.folder)
    assert contents(workspace.folder) == {"good": b"good"}


def test_the_error_for_an_obstructing_path_names_it(workspace: Workspace) -> None:
    (workspace.folder / "videos").write_text("a file")
    with pytest.raises(UserError, match="videos"):
        unpack(write(workspace.archives / "a.zip", FILES), workspace.folder)
    (workspace.folder / "videos").unlink()
    (workspace.folder / "empty").mkdir()
    with pytest.raises(UserError, match="empty"):
        unpack(workspace.archives / "a.zip", workspace.folder)


@pytest.mark.parametrize("content", [b"", b"text, not an archive" * 60, b"PK\x03\x04", bytes(600)])
def test_other_files_are_not_archives(workspace: Workspace, content: bytes) -> None:
    path = workspace.archives / "a.bin"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"a\.bin"):
        unpack(path, workspace.folder)
    with pytest.raises(UserError, match=r"none\.zip"):
        unpack(workspace.archives / "none.zip", workspace.folder)


def test_zstd_is_refused_with_the_command_to_use(workspace: Workspace) -> None:
    path = workspace.archives / "a.tar.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd" + bytes(100))
    with pytest.raises(UserError, match="tar --zstd -xf"):
        unpack(path, workspace.folder)


@pytest.fixture(scope="module")
def damage(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, int, int, int], Path]:
    folder = tmp_path_factory.mktemp("damage")
    whole = {suffix: write(folder / f"a.{suffix}", FILES).read_bytes() for suffix in SUFFIXES}

    def damaged(suffix: str, offset: int, value: int, length: int) -> Path:
        content = bytearray(whole[suffix])
        start = offset % len(content)
        content[start : start + length] = bytes([value]) * min(length, len(content) - start)
        path = folder / f"damaged.{suffix}"
        path.write_bytes(content)
        return path

    return damaged


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SUFFIXES), st.integers(0, 20_000), st.integers(0, 255), st.integers(1, 40))
def test_a_damaged_archive_is_unpacked_or_refused(
    damage: Callable[[str, int, int, int], Path], suffix: str, offset: int, value: int, length: int
) -> None:
    archive = damage(suffix, offset, value, length)
    folder = archive.parent / "out" / "of" / "it"
    try:
        paths = unpack(archive, folder)
    except UserError:
        paths = []
    assert all(path.resolve().is_relative_to(folder.resolve()) for path in paths)
    assert not (archive.parent / "out" / "evil").exists()
    shutil.rmtree(archive.parent / "out", ignore_errors=True)
