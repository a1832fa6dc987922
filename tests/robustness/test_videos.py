"""Odd and damaged videos: the right frames at the right times, or a failure with a name.

Each video is a clock (`tests.video_files`): 48 frames at 24 fps, and every frame shows its number.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av
import numpy as np
import pytest

from tests.robustness.case import RIGHT_VALUE, Case
from tests.video_files import X264, clock_frame, cut, read_clock, write_clock, write_silence
from vtg_eval.errors import CutShortError, VideoError
from vtg_eval.failures import Failure
from vtg_eval.protocol import FrameRule
from vtg_eval.video.decoder import Decoder
from vtg_eval.video.decord import DecordDecoder
from vtg_eval.video.frame_store import FrameStore
from vtg_eval.video.pyav import PyavDecoder

COUNT, FPS, GROUP = 48, 24, 12
SECONDS = COUNT / FPS
LIMIT = 10.0  # seconds for one video
RULE = FrameRule(fps=2 * FPS, max_frames=200, min_frames=2)
CUT, UNDECODABLE = Failure.CUT_SHORT.value, Failure.UNDECODABLE.value

H264 = {**X264, "g": str(GROUP), "sc_threshold": "0"}
HEVC = {"preset": "ultrafast", "x265-params": f"log-level=none:keyint={GROUP}:open-gop=0"}
VPX = {"deadline": "realtime", "cpu-used": "8", "g": str(GROUP), "auto-alt-ref": "0"}
AV1 = {"preset": "12", "svtav1-params": "lp=1", "g": str(GROUP)}
OLD = {"g": str(GROUP), "qscale": "2"}
FIRST = {"movflags": "faststart"}
PARTS = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


@dataclass(frozen=True)
class Source:
    """A kind of file that is in order.

    late: the number of frames by which its times may be off. middle: where it is cut.
    """

    suffix: str
    codec: str = "libx264"
    options: Mapping[str, str] = field(default_factory=lambda: H264)
    container: Mapping[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = (48, 64)
    late: int = 0
    middle: float = 0.45

    def write(self, path: Path, title: str = "") -> Path:
        """Write the clock."""
        height, width = self.size
        return write_clock(
            path,
            COUNT,
            FPS,
            codec=self.codec,
            options=self.options,
            container_options=self.container,
            height=height,
            width=width,
            pix_fmt=self.pix_fmt,
            title=title,
        )


SOURCES: Mapping[str, Source] = {
    "H.264 in MP4, index first": Source(".mp4", container=FIRST),
    "H.264 in MP4, index last": Source(".mp4"),
    "H.264 in MP4, fragments": Source(".mp4", container=PARTS),
    "H.264 in MOV": Source(".mov", container=FIRST),
    "H.264 in Matroska": Source(".mkv"),
    "H.264 in Matroska, live": Source(".mkv", container={"live": "1"}),
    "H.264 in AVI": Source(".avi", options={**H264, "bf": "0"}, late=1),
    "H.264 in a transport stream": Source(".ts"),
    "H.264 in M2TS": Source(".m2ts"),
    "H.264 in FLV": Source(".flv"),
    "HEVC in MP4": Source(".mp4", "libx265", HEVC, FIRST),
    "HEVC in a transport stream": Source(".ts", "libx265", HEVC),
    "VP8 in WebM": Source(".webm", "libvpx", VPX),
    "VP8 in Ogg": Source(".ogv", "libvpx", VPX),
    "VP9 in WebM": Source(".webm", "libvpx-vp9", VPX),
    "VP9 in MP4": Source(".mp4", "libvpx-vp9", VPX, FIRST),
    "AV1 in MP4": Source(".mp4", "libsvtav1", AV1, FIRST),
    "AV1 in WebM": Source(".webm", "libsvtav1", AV1),
    "MPEG-4 in AVI": Source(".avi", "mpeg4", OLD),
    "MPEG-4 in MP4": Source(".mp4", "mpeg4", OLD, FIRST),
    "MPEG-2 in a transport stream": Source(".ts", "mpeg2video", OLD),
    "MPEG-2 in a program stream": Source(".mpg", "mpeg2video", OLD),
    "MPEG-2 in Matroska": Source(".mkv", "mpeg2video", OLD),
    "MPEG-1, no container": Source(".m1v", "mpeg1video", OLD, late=1, middle=0.3),
    "Motion JPEG in AVI": Source(".avi", "mjpeg", {}, pix_fmt="yuvj420p"),
    "FLV1 in FLV": Source(".flv", "flv", OLD),
    "WMV2 in ASF": Source(".wmv", "wmv2", OLD),
    "H.263 in 3GP": Source(".3gp", "h263", OLD, FIRST, size=(96, 128)),
    "ProRes in MOV": Source(".mov", "prores_ks", {}, FIRST, "yuv422p10le"),
    "FFV1 in Matroska": Source(".mkv", "ffv1", {}),
}
SEALED, KEYS = "encrypted", {"encryption_key": "76" * 16, "encryption_kid": "a7" * 16}
ODD_SOURCES: Mapping[str, Source] = {
    "4:4:4": Source(".mp4", pix_fmt="yuv444p"),
    "grey": Source(".mp4", pix_fmt="gray"),
    "10 bit": Source(".mp4", "libx265", HEVC, pix_fmt="yuv420p10le"),
    "transparent": Source(".mov", "qtrle", {}, pix_fmt="argb"),
    "interlaced": Source(".mp4", options={**H264, "flags": "+ildct+ilme"}),
    "odd size": Source(".webm", "libvpx", VPX, size=(47, 63)),
    "not compressed": Source(".avi", "rawvideo", {}),
    SEALED: Source(".mp4", container={"encryption_scheme": "cenc-aes-ctr", **KEYS}),
}


@dataclass(frozen=True)
class VideoCase(Case):
    """make: writes the file. lost: frames whose pictures are damaged (the times are not)."""

    make: Callable[[Path], Path]
    lost: range = range(0)
    late: int = 0
    decoder: type[Decoder] = PyavDecoder


@cache
def content(source: str) -> bytes:
    """Return the bytes of a file of the kind."""
    kind = {**SOURCES, **ODD_SOURCES}[source]
    with TemporaryDirectory() as folder:
        return kind.write(Path(folder) / f"clock{kind.suffix}").read_bytes()


def changed(source: str, change: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    """Return a maker of a file of the kind whose bytes are changed."""

    def make(folder: Path) -> Path:
        path = folder / f"clock{({**SOURCES, **ODD_SOURCES})[source].suffix}"
        path.write_bytes(change(content(source)))
        return path

    return make


def kept(share: float) -> Callable[[bytes], bytes]:
    return lambda whole: whole[: int(len(whole) * share)]


def zeroed(start: int, stop: int) -> Callable[[bytes], bytes]:
    return lambda whole: whole[:start] + bytes(stop - start) + whole[stop:]


def flipped(folder: Path, source: str) -> Path:
    """Flip bits in the pictures of the second group, and in nothing else."""
    path = changed(source, bytes)(folder)
    whole = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    rng = random.Random(source)
    contiguous = path.suffix not in (".ts", ".m2ts", ".mpg", ".ogv", ".wmv")
    for packet in packets[GROUP + 3 : 2 * GROUP - 2 : 3]:
        assert packet.pos is not None
        first, last = packet.pos + packet.size // 2, packet.pos + packet.size - 1
        if not contiguous:
            first, last = packet.pos + 60, packet.pos + 100
        whole[rng.randint(first, last)] ^= 1 << rng.randrange(8)
    path.write_bytes(whole)
    return path


def patched(name: bytes, offset: int, value: int) -> Callable[[bytes], bytes]:
    """Return a change of a number in an MP4 box."""

    def change(whole: bytes) -> bytes:
        at = whole.index(name) + 4 + offset
        return whole[:at] + struct.pack(">I", value) + whole[at + 4 :]

    return change


MP4, TS, MKV = "H.264 in MP4, index first", "H.264 in a transport stream", "H.264 in Matroska"
AVI = "MPEG-4 in AVI"
# Files whose frames cannot be found by their bytes; a flipped bit may hit what holds them together.
FRAGILE = ("H.264 in M2TS", "VP8 in Ogg", "WMV2 in ASF", "MPEG-2 in a program stream")


def of_every_kind() -> list[VideoCase]:
    """Whole, half, longer, and with flipped bits: for every container and codec."""
    cases = []
    for name, source in SOURCES.items():
        late = source.late
        cases += [
            VideoCase(f"{name}: whole", RIGHT_VALUE, changed(name, bytes), late=late),
            VideoCase(
                f"{name}: cut in the middle", CUT, changed(name, kept(source.middle)), late=late
            ),
            VideoCase(
                f"{name}: noise after its end", RIGHT_VALUE, changed(name, longer), late=late
            ),
        ]
        if name not in FRAGILE:
            lost = range(GROUP, 2 * GROUP + late)
            make = lambda folder, name=name: flipped(folder, name)  # noqa: E731
            cases.append(VideoCase(f"{name}: flipped bits", RIGHT_VALUE, make, lost, late))
    return cases


def longer(whole: bytes) -> bytes:
    return whole + random.Random(0).randbytes(2000)


def playlist(folder: Path, head: str = "#EXTM3U\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n") -> Path:
    secret = SOURCES[TS].write(folder / "secret.ts")
    path = folder / "clock.mp4"
    path.write_text(head.format(secret.name))
    return path


def renamed(source: str, name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(content(source))
        return path

    return make


def written(name: str, text: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(text)
        return path

    return make


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "clock.mp4")
    return folder / "clock.mp4"


def link(folder: Path) -> Path:
    path = folder / "link.mp4"
    path.symlink_to(changed(MP4, bytes)(folder))
    return path


def tagged(source: str) -> Callable[[Path], Path]:
    """Return a maker of a file of the kind whose title has a byte that is not UTF-8."""

    def make(folder: Path) -> Path:
        path = folder / f"tagged{SOURCES[source].suffix}"
        SOURCES[source].write(path, title="a caf__ in Paris")
        whole = path.read_bytes()
        assert b"caf__" in whole
        path.write_bytes(whole.replace(b"caf__", b"caf\xe9!"))
        return path

    return make


def handler_tag(whole: bytes) -> bytes:
    assert b"VideoHandler" in whole
    return whole.replace(b"VideoHandler", b"Vid\xe9oHandler")


def with_cover(suffix: str, first: bool) -> Callable[[Path], Path]:
    """Return a maker of a file with a still picture as a second video track, by default shown."""

    def make(folder: Path) -> Path:
        path = folder / f"cover{suffix}"
        picture = av.VideoFrame.from_ndarray(clock_frame(0xFFFF, 480, 640), format="rgb24")
        with av.open(str(changed(MP4, bytes)(folder))) as reader, av.open(str(path), "w") as writer:
            film = reader.streams.video[0]
            copy = None if first else writer.add_stream_from_template(film)
            still = writer.add_stream("mjpeg", rate=25)
            still.width, still.height, still.pix_fmt = 640, 480, "yuvj420p"
            still.disposition = av.stream.Disposition.default
            copy = copy or writer.add_stream_from_template(film)
            copy.disposition = av.stream.Disposition(0)
            writer.mux(still.encode(picture.reformat(format="yuvj420p")))
            writer.mux(still.encode(None))
            for packet in reader.demux(film):
                if packet.dts is not None:
                    packet.stream = copy
                    writer.mux(packet)
        return path

    return make


def joined(folder: Path) -> Path:
    """Write two halves of a clock, one after the other, each with times of its own."""
    path = folder / "joined.ts"
    with path.open("wb") as file:
        for start in (0, COUNT // 2):
            part = folder / f"{start}.ts"
            with av.open(str(part), "w") as container:
                stream = container.add_stream("libx264", rate=FPS, options=dict(H264))
                stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
                for index in range(start, start + COUNT // 2):
                    picture = clock_frame(index, 48, 64)
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
                container.mux(stream.encode(None))
            file.write(part.read_bytes())
    return path


def with_sound(suffix: str) -> Callable[[Path], Path]:
    """Return a maker of a file whose sound is twice as long as its pictures."""

    def make(folder: Path) -> Path:
        path = folder / f"sound{suffix}"
        silence = write_silence(folder / "silence.mp4", 2 * SECONDS)
        with (
            av.open(str(changed(MP4, bytes)(folder))) as pictures,
            av.open(str(silence)) as sound,
            av.open(str(path), "w") as writer,
        ):
            parts = [(pictures, pictures.streams.video[0]), (sound, sound.streams.audio[0])]
            copies = [writer.add_stream_from_template(stream) for _, stream in parts]
            packets = [
                (packet.dts * packet.time_base, copy, packet)
                for (reader, stream), copy in zip(parts, copies, strict=True)
                for packet in reader.demux(stream)
                if packet.dts is not None
            ]
            for _, copy, packet in sorted(packets, key=lambda row: row[0]):
                packet.stream = copy
                writer.mux(packet)
        return path

    return make


def late_start(folder: Path) -> Path:
    stamps = [5000 + round(1000 * index / FPS) for index in range(COUNT)]
    return write_clock(folder / "late.ts", FPS, pts=stamps, time_base=Fraction(1, 1000))


def edited(folder: Path) -> Path:
    """Write a clock of which an edit list hides the first frames, which are no whole group."""
    source = write_clock(folder / "long.mp4", COUNT, FPS, options=H264, height=48, width=64)
    return cut(source, folder / "edited.mp4", 0.0)


def sound_only(folder: Path) -> Path:
    return write_silence(folder / "sound.mp4")


PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452") + bytes(64)

CASES: tuple[VideoCase, ...] = (
    *of_every_kind(),
    *(VideoCase(name, RIGHT_VALUE, changed(name, bytes)) for name in ODD_SOURCES if name != SEALED),
    *(
        VideoCase(f"MP4, {share:.0%} of it", CUT, changed(MP4, kept(share)))
        for share in (0.1, 0.25, 0.75, 0.9, 0.99)
    ),
    *(
        VideoCase(f"Matroska, {share:.0%} of it", CUT, changed(MKV, kept(share)))
        for share in (0.3, 0.75, 0.9)
    ),
    *(
        VideoCase(f"transport stream, {share:.0%} of it", CUT, changed(TS, kept(share)))
        for share in (0.1, 0.7, 0.9)
    ),
    VideoCase("MP4 without its last byte", CUT, changed(MP4, lambda whole: whole[:-1])),
    VideoCase("transport stream cut between packets", CUT, changed(TS, lambda w: w[: 188 * 30])),
    VideoCase("Matroska without its index", RIGHT_VALUE, changed(MKV, kept(0.985))),
    VideoCase("AVI without its index", RIGHT_VALUE, changed(AVI, kept(0.98))),
    VideoCase("MP4, header of zeros", UNDECODABLE, changed(MP4, zeroed(0, 64))),
    VideoCase("Matroska, header of zeros", UNDECODABLE, changed(MKV, zeroed(0, 64))),
    VideoCase("AVI, header of zeros", UNDECODABLE, changed(AVI, zeroed(0, 64))),
    VideoCase("FLV, header of zeros", UNDECODABLE, changed("FLV1 in FLV", zeroed(0, 64))),
    VideoCase("ASF, header of zeros", UNDECODABLE, changed("WMV2 in ASF", zeroed(0, 64))),
    VideoCase("transport stream, start of zeros", RIGHT_VALUE, changed(TS, zeroed(0, 64))),
    VideoCase("Matroska, hole in the middle", UNDECODABLE, changed(MKV, zeroed(1100, 1500))),
    VideoCase("ASF, hole in the middle", UNDECODABLE, changed("WMV2 in ASF", zeroed(1700, 2300))),
    VideoCase("AVI, hole in its index", RIGHT_VALUE, changed(AVI, lambda w: w[:-300] + bytes(300))),
    VideoCase("MP4, index of zeros", UNDECODABLE, changed(MP4, lambda w: zeroed_index(w))),
    VideoCase(
        "MP4, absurd number of frames", UNDECODABLE, changed(MP4, patched(b"stsz", 8, 1 << 31))
    ),
    VideoCase(
        "MP4, 50,000 px in the index", RIGHT_VALUE, changed(MP4, patched(b"avc1", 24, 0xC350C350))
    ),
    VideoCase("a file of 0 bytes", UNDECODABLE, written("clock.mp4", b"")),
    VideoCase("a file of 1 byte", UNDECODABLE, written("clock.mp4", b"\0")),
    VideoCase("text", UNDECODABLE, written("clock.mp4", b"no video\n" * 100)),
    VideoCase("a web page", UNDECODABLE, written("clock.mp4", b"<!DOCTYPE html><html></html>" * 9)),
    VideoCase("a picture", UNDECODABLE, written("clock.mp4", PNG)),
    VideoCase("noise", UNDECODABLE, written("clock.mp4", random.Random(1).randbytes(9000))),
    VideoCase("a folder", UNDECODABLE, lambda folder: folder),
    VideoCase("a pipe", UNDECODABLE, pipe),
    VideoCase("a link to a video", RIGHT_VALUE, link),
    VideoCase("no file", UNDECODABLE, lambda folder: folder / "none.mp4"),
    VideoCase("sound only", UNDECODABLE, sound_only),
    VideoCase("Matroska named .mp4", RIGHT_VALUE, renamed(MKV, "clock.mp4")),
    VideoCase("MP4 named .avi", RIGHT_VALUE, renamed(MP4, "clock.avi")),
    VideoCase("transport stream named .mkv", RIGHT_VALUE, renamed(TS, "clock.mkv")),
    VideoCase("MP4 named like a pattern", RIGHT_VALUE, renamed(MP4, "clock%03d.mp4")),
    VideoCase("MP4 named like a pattern of pictures", UNDECODABLE, renamed(MP4, "clock%03d.jpg")),
    VideoCase("MP4 named like an address", RIGHT_VALUE, renamed(MP4, "concat:a|b.mp4")),
    VideoCase("HLS playlist", UNDECODABLE, playlist),
    VideoCase(
        "concat script", UNDECODABLE, lambda d: playlist(d, "ffconcat version 1.0\nfile {}\n")
    ),
    VideoCase("DASH manifest", UNDECODABLE, lambda d: playlist(d, "<?xml?><MPD>{}</MPD>\n")),
    *(
        VideoCase(f"title that is not UTF-8, {name}", RIGHT_VALUE, tagged(name))
        for name in (MP4, MKV, AVI, "FLV1 in FLV", "VP8 in Ogg")
    ),
    VideoCase("handler that is not UTF-8", RIGHT_VALUE, changed(MP4, handler_tag)),
    VideoCase("cover by default, MP4", RIGHT_VALUE, with_cover(".mp4", first=False)),
    VideoCase("cover by default and first, Matroska", RIGHT_VALUE, with_cover(".mkv", first=True)),
    *(
        # Sound starts 64 ms before the pictures, and with it the file's timeline.
        VideoCase(f"sound is longer, {suffix}", RIGHT_VALUE, with_sound(suffix), late=2)
        for suffix in (".mp4", ".mkv", ".flv", ".ts")
    ),
    VideoCase(SEALED, UNDECODABLE, changed(SEALED, bytes)),
    VideoCase("joined transport streams", RIGHT_VALUE, joined),
    VideoCase("times that start late", RIGHT_VALUE, late_start),
    VideoCase("copied with an edit list", RIGHT_VALUE, edited),
    *(
        VideoCase(
            f"decord, {name}: whole", RIGHT_VALUE, changed(name, bytes), decoder=DecordDecoder
        )
        for name in (MP4, MKV, "VP8 in WebM", AVI)
    ),
    VideoCase("decord, cut in the middle", CUT, changed(MP4, kept(0.5)), decoder=DecordDecoder),
    VideoCase("decord, HLS playlist", UNDECODABLE, playlist, decoder=DecordDecoder),
    VideoCase("decord, text", UNDECODABLE, written("a.mp4", b"text" * 99), decoder=DecordDecoder),
    VideoCase("decord, joined", UNDECODABLE, joined, decoder=DecordDecoder),
    VideoCase(
        "decord, number of frames at which it aborts",
        UNDECODABLE,
        changed(MP4, patched(b"stts", 8, 0x7FFFFFFF)),
        decoder=DecordDecoder,
    ),
)


def zeroed_index(whole: bytes) -> bytes:
    at = whole.index(b"stbl")
    return whole[:at] + bytes(400) + whole[at + 400 :]


def test_there_are_as_many_as_promised() -> None:
    assert len(CASES) >= 120
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.fixture(scope="module")
def decord() -> DecordDecoder:
    pytest.importorskip("decord", reason="needs the extra decord")
    return DecordDecoder()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_video_is_right_or_a_failure_with_a_name(
    case: VideoCase, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    is_decord = case.decoder is DecordDecoder
    decoder = request.getfixturevalue("decord") if is_decord else PyavDecoder()
    store = FrameStore(decoder, tmp_path / "store")
    (tmp_path / "videos").mkdir()
    path = case.make(tmp_path / "videos")
    start = time.monotonic()
    try:
        frames = store.frames(path, RULE, lambda *_: (48, 64), annotated=SECONDS)
    except VideoError as exc:
        outcome = CUT if isinstance(exc, CutShortError) else UNDECODABLE
        assert "\n" not in str(exc)
        assert path.name in str(exc)
        assert outcome == case.outcome, exc
    else:
        assert case.outcome == RIGHT_VALUE
        assert frames.info.duration == pytest.approx(SECONDS, abs=(0.5 + case.late) / FPS)
        assert_right(frames.array, frames.times, case)
    assert time.monotonic() - start < LIMIT


def assert_right(array: np.ndarray, times: np.ndarray, case: VideoCase) -> None:
    """Each picture is the one at its time, and all are there."""
    clocks = np.array([read_clock(picture) for picture in array])
    expected = np.round(times * FPS).astype(int)
    sound = ~np.isin(expected, case.lost)
    off = np.abs(clocks - expected)[sound]
    assert off.max() <= case.late, (clocks.tolist(), expected.tolist())
    assert set(range(COUNT)) - set(case.lost) - set(range(case.late)) <= set(clocks.tolist())
