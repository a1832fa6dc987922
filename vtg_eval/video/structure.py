"""What a container's own bytes say about where the file ends: sizes, indexes and durations.

FFmpeg plays what is there of a file that was cut, without a word. Nothing here decodes anything,
and bytes that make no sense are no statement.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vtg_eval.errors import VideoError

# A hostile file may consist of empty elements.
MAX_ELEMENTS = 2_000_000
# Of transport streams: plain, with times, with error correction; each packet starts with a mark.
PACKET_SIZES = (188, 192, 204)
SYNC, SYNC_MARKS = 0x47, 20
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Structure:
    """What a file says about its end.

    cut: why it cannot be all of the file, None where nothing says so. whole: sizes in the container
    say that it is. damaged: what stands in it makes no sense. seconds: the duration that it states.
    content: the bytes before the zeros at its end, which a download leaves that reserves its room.
    """

    cut: str | None = None
    whole: bool = False
    damaged: bool = False
    seconds: float | None = None
    content: int | None = None


def read_structure(path: Path) -> Structure:
    """Return what the file says. Raises VideoError where it cannot be opened."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return replace(_reader(data)(data), content=_content(data))
    except OSError as exc:
        raise VideoError(f"{path.name}: {(exc.strerror or 'cannot be read').lower()}") from exc
    except (struct.error, IndexError, ValueError, ZeroDivisionError):
        return Structure()


def _content(data: mmap.mmap) -> int:
    end = len(data)
    while end > 0:
        start = max(end - BLOCK, 0)
        if block := data[start:end].rstrip(b"\0"):
            return start + len(block)
        end = start
    return 0


def _reader(data: mmap.mmap) -> Callable[[mmap.mmap], Structure]:
    if data[4:8] in MOV_BOXES:
        return _mov
    if data[8:12] == b"AVI ":
        return _avi
    for magic, reader in (
        (b"\x1aE\xdf\xa3", _matroska),
        (b"FLV", _flv),
        (b"OggS", _ogg),
        (ASF_HEADER, _asf),
        (b"\0\0\1\xba", _program_stream),
    ):
        if data[: len(magic)] == magic:
            return reader
    return _transport_stream


# ISO base media (MP4, MOV, 3GP)

MOV_MEDIA = (b"moov", b"mdat", b"moof")
MOV_BOXES = (*MOV_MEDIA, *b"ftyp free skip wide pnot styp sidx mfra uuid meta udta emsg".split())


def _mov(data: mmap.mmap) -> Structure:
    cut = seconds = None
    fragmented = indexed = False
    end = 0
    for kind, start, end in _boxes(data):
        if kind in MOV_MEDIA and end > len(data):
            cut = f"its {kind.decode()} box is {end - len(data):,} bytes longer"
        if kind == b"moov" and end <= len(data):
            indexed = True
            seconds = _fragments_seconds(data[start:end])
        if kind == b"sidx" and (missing := _last_segment(data, start, end) - len(data)) > 0:
            cut = f"its index names segments of {missing:,} bytes more"
        fragmented |= kind == b"moof"
    if fragmented:
        return Structure(cut, damaged=data.find(b"moof", end) >= 0, seconds=seconds)
    if indexed and seconds is None:  # the index tells for each frame whether it is there
        cut = None
    return Structure(cut, whole=cut is None)


def _boxes(data: mmap.mmap) -> Iterator[tuple[bytes, int, int]]:
    """Yield (type, start of the content, end) of the boxes at the top level."""
    position = 0
    for _ in range(MAX_ELEMENTS):
        if position + 8 > len(data):
            return
        size, kind = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, start)
            start += 8
        if kind not in MOV_BOXES or 0 < size < start - position:
            return
        end = position + size if size else len(data)
        yield kind, start, end
        position = end


def _fragments_seconds(moov: bytes) -> float | None:
    """Return the duration over all fragments that the movie's header states, if it does."""
    extends, header = moov.find(b"mehd"), moov.find(b"mvhd")
    if extends < 0 or header < 0:
        return None
    (scale,) = struct.unpack_from(">I", moov, header + (24 if moov[header + 4] else 16))
    long = moov[extends + 4]
    (duration,) = struct.unpack_from(">Q" if long else ">I", moov, extends + 8)
    return duration / scale if duration else None


def _last_segment(data: mmap.mmap, start: int, end: int) -> int:
    """Return the byte at which the last segment of a segment index ends."""
    offset, count_at = (20, 30) if data[start] else (16, 22)
    (first,) = struct.unpack_from(">Q" if data[start] else ">I", data, start + offset)
    (count,) = struct.unpack_from(">H", data, start + count_at)
    sizes = struct.unpack_from(">" + "I8x" * count, data, start + count_at + 2)
    return int(end + first + sum(size & 0x7FFFFFFF for size in sizes))


# Matroska and WebM

SEGMENT, CLUSTER, INFO, CUES, TAGS = 0x18538067, 0x1F43B675, 0x1549A966, 0x1C53BB6B, 0x1254C367
EBML, SEEK_HEAD, TRACKS, CHAPTERS = 0x1A45DFA3, 0x114D9B74, 0x1654AE6B, 0x1043A770
ATTACHMENTS, VOID, CRC = 0x1941A469, 0xEC, 0xBF
BLOCKS = (0xA3, 0xA0, 0xE7, 0xA7, 0xAB, 0x5854)  # and what else stands in a cluster
AFTER_CLUSTERS = (CUES, TAGS, ATTACHMENTS, CHAPTERS)
MATROSKA = {EBML, SEGMENT, CLUSTER, INFO, TRACKS, SEEK_HEAD, VOID, CRC, *BLOCKS, *AFTER_CLUSTERS}
DURATION, TIME_SCALE = 0x4489, 0x2AD7B1


def _matroska(data: mmap.mmap) -> Structure:
    segment_end = seconds = cut = None
    ended = False  # whether what follows the clusters has begun
    frames = False
    for element, start, end in _elements(data, 0, len(data)):
        frames |= element == CLUSTER
        ended = frames and element in AFTER_CLUSTERS
        if element == SEGMENT and end is not None:
            segment_end = end
        if element in (SEGMENT, CLUSTER) and end is None:
            continue
        if element == INFO and end is not None:
            seconds = _info_seconds(data, start, min(end, len(data)))
        if end is not None and end > len(data) and element not in (SEGMENT, *AFTER_CLUSTERS, VOID):
            cut = f"its last element is {end - len(data):,} bytes longer"
    if segment_end is not None:
        if segment_end > len(data) and not ended:
            cut = f"its segment is {segment_end - len(data):,} bytes longer"
        return Structure(cut, whole=cut is None, seconds=seconds)
    return Structure(cut, seconds=seconds)


def _elements(data: mmap.mmap, position: int, stop: int) -> Iterator[tuple[int, int, int | None]]:
    """Yield (id, start of the content, end; None if unknown), descending into segments and
    clusters of unknown size."""
    for _ in range(MAX_ELEMENTS):
        if position + 2 > stop:
            return
        element, start = _number(data, position, marker=True)
        size, start = _number(data, start, marker=False)
        if element not in MATROSKA:
            return
        unknown = size is None
        yield element, start, None if unknown else start + int(size or 0)
        position = start if unknown or element == SEGMENT else start + int(size or 0)


def _number(data: mmap.mmap, position: int, marker: bool) -> tuple[int | None, int]:
    """Return EBML's number of variable length and where it ends; None for "unknown"."""
    length = 9 - data[position].bit_length()
    value = int.from_bytes(data[position : position + length], "big")
    if marker:
        return value, position + length
    value &= (1 << 7 * length) - 1
    return None if value == (1 << 7 * length) - 1 else value, position + length


def _info_seconds(data: mmap.mmap, position: int, stop: int) -> float | None:
    scale, duration = 1_000_000, None
    while position + 2 < stop:
        element, start = _number(data, position, marker=True)
        size, start = _number(data, start, marker=False)
        content = data[start : start + (size or 0)]
        if element == TIME_SCALE:
            scale = int.from_bytes(content, "big")
        if element == DURATION:
            (duration,) = struct.unpack(">f" if len(content) == 4 else ">d", content)
        position = start + (size or 0)
    return duration * scale / 1e9 if duration else None


# AVI


def _avi(data: mmap.mmap) -> Structure:
    cut, seconds, frames_end = "its list of frames is missing", None, 0
    position = 0
    for _ in range(MAX_ELEMENTS):
        if position + 12 > len(data):
            break
        kind, size, name = struct.unpack_from("<4sI4s", data, position)
        end = position + 8 + size
        if kind == b"RIFF":
            position += 12
            continue
        if not kind.isascii():
            break
        if kind == b"LIST" and name == b"movi":
            frames_end = max(frames_end, end)
        if kind == b"LIST" and name == b"hdrl":
            header = data[position : min(end, len(data))]
            frames_end = max(frames_end, _last_index(header))
            seconds = _avi_seconds(header)
        position = end + size % 2
    if frames_end:
        missing = frames_end - len(data)
        cut = f"its frames take {missing:,} bytes more" if missing > 0 else ""
    return Structure(cut or None, whole=not cut, seconds=seconds)


def _avi_seconds(header: bytes) -> float | None:
    main = header.find(b"avih") + 8
    if main < 8:
        return None
    (microseconds,), (frames,) = (struct.unpack_from("<I", header, main + at) for at in (0, 16))
    return microseconds * frames / 1e6 or None


def _last_index(header: bytes) -> int:
    """Return where the last of the indexes ends that the header's indexes of indexes name."""
    last = 0
    for start in _occurrences(header, b"indx"):
        entry_size, _, kind, count = struct.unpack_from("<HBBI", header, start + 8)
        if kind == 0 and entry_size == 4:
            for number in range(min(count, len(header) // 16)):
                offset, size = struct.unpack_from("<QI", header, start + 32 + 16 * number)
                last = max(last, offset + size)
    return last


def _occurrences(data: bytes, name: bytes) -> Iterator[int]:
    position = data.find(name)
    while position >= 0:
        yield position
        position = data.find(name, position + 1)


# Others


def _flv(data: mmap.mmap) -> Structure:
    cut, facts = None, b""
    (position,) = struct.unpack_from(">I", data, 5)
    position += 4
    for _ in range(MAX_ELEMENTS):
        if position >= len(data) or data[position] not in (8, 9, 18):
            break
        size = int.from_bytes(data[position + 1 : position + 4], "big")
        end = position + 11 + size
        if data[position] == 18 and not facts:
            facts = data[position:end]
        if end > len(data):
            cut = f"its last tag is {end - len(data):,} bytes longer"
        position = end + 4
    bytes_stated = _flv_number(facts, b"filesize") or 0.0
    if bytes_stated > len(data) + 4:  # without the last tag's closing size, nothing is missing
        cut = cut or f"it states {bytes_stated - len(data):,.0f} bytes more"
    return Structure(cut, bool(bytes_stated and not cut), seconds=_flv_number(facts, b"duration"))


def _flv_number(facts: bytes, name: bytes) -> float | None:
    at = facts.find(name + b"\0")
    return struct.unpack_from(">d", facts, at + len(name) + 1)[0] or None if at >= 0 else None


def _ogg(data: mmap.mmap) -> Structure:
    page = data.rfind(b"OggS")
    segments = data[page + 26]
    end = page + 27 + segments + sum(data[page + 27 : page + 27 + segments])
    if end > len(data):
        return Structure(f"its last page is {end - len(data):,} bytes longer")
    if data[page + 5] & 4:
        return Structure(whole=True)
    return Structure("its last page is not marked as the last")


ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def _asf(data: mmap.mmap) -> Structure:
    (position,) = struct.unpack_from("<Q", data, 16)
    properties = data.find(ASF_PROPERTIES, 0, position)
    if properties < 0 or data[properties + 88] & 1:
        return Structure()  # a broadcast: the sizes are not known
    ticks, preroll = (struct.unpack_from("<Q", data, properties + at)[0] for at in (64, 80))
    if data[position : position + 16] != ASF_DATA:
        return Structure("it has no data" if position >= len(data) else None)
    (size,) = struct.unpack_from("<Q", data, position + 16)
    missing = position + size - len(data)
    cut = f"its data is {missing:,} bytes longer" if missing > 0 else None
    return Structure(cut, whole=not cut, seconds=ticks / 1e7 - preroll / 1e3)


def _program_stream(data: mmap.mmap) -> Structure:
    position = data.rfind(b"\0\0\1", 0, -3)
    while position > 0 and data[position + 3] < 0xBB:
        position = data.rfind(b"\0\0\1", 0, position)
    (size,) = struct.unpack_from(">H", data, position + 4)
    missing = position + 6 + size - len(data)
    return Structure(f"its last packet is {missing:,} bytes longer" if missing > 0 else None)


def _transport_stream(data: mmap.mmap) -> Structure:
    for size in PACKET_SIZES:
        for start in range(min(size, len(data))):
            marks = data[start : start + SYNC_MARKS * size : size]
            if len(marks) > 2 and set(marks) == {SYNC}:
                tail = (len(data) - start) % size
                is_packet = 0 < tail < PACKET_SIZES[0] and data[len(data) - tail] == SYNC
                return Structure(f"its last packet has {tail} bytes" if is_packet else None)
    return Structure()
