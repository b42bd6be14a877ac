"""Recordings: how long an AMR, WAV or MP3 takes, from its own frames."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from math import ceil

__all__ = ["seconds_of"]

_AMR = b"#!AMR\n"
_AMR_WIDE = b"#!AMR-WB\n"
_AMR_FRAME = 0.02
# Bytes of a frame, its head included, by mode (RFC 4867).
_AMR_SIZES = (13, 14, 16, 18, 20, 21, 27, 32, 6)
_AMR_WIDE_SIZES = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6)

# MPEG layer III: bits and samples a second by version (ISO 11172-3, 13818-3).
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_FEWEST_FRAMES = 2


def seconds_of(content: bytes) -> int | None:
    """The length of a recording in whole seconds, rounded up; None where it cannot be told."""
    if content.startswith(_AMR_WIDE):
        found = _amr(content[len(_AMR_WIDE) :], _AMR_WIDE_SIZES)
    elif content.startswith(_AMR):
        found = _amr(content[len(_AMR) :], _AMR_SIZES)
    elif content.startswith(b"RIFF"):
        found = _wav(content)
    else:
        found = _mp3(content)
    return max(ceil(round(found, 3)), 1) if found else None


def _amr(frames: bytes, sizes: tuple[int, ...]) -> float | None:
    place = count = 0
    while place < len(frames):
        mode = frames[place] >> 3 & 15
        if mode >= len(sizes) and mode < 14:
            return None
        place += sizes[mode] if mode < len(sizes) else 1
        count += 1
    return count * _AMR_FRAME


def _wav(content: bytes) -> float | None:
    try:
        with wave.open(io.BytesIO(content)) as recording:
            return float(recording.getnframes()) / float(recording.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


def _mp3(content: bytes) -> float | None:
    lengths = list(_mp3_frames(content, _after_tag(content)))
    return sum(lengths) if len(lengths) >= _FEWEST_FRAMES else None


def _after_tag(content: bytes) -> int:
    """Where the sound begins behind an ID3 tag, whose size has seven bits a byte."""
    if not content.startswith(b"ID3") or len(content) < 10:
        return 0
    size = 0
    for byte in content[6:10]:
        size = size << 7 | byte & 127
    return size + 10


def _mp3_frames(content: bytes, place: int) -> Iterator[float]:
    """How long each frame takes, as far as they follow one another."""
    while place + 4 <= len(content):
        head = int.from_bytes(content[place : place + 4])
        version, layer, bits, rate = head >> 19 & 3, head >> 17 & 3, head >> 12 & 15, head >> 10 & 3
        if head >> 21 != 0x7FF or version not in _RATES or layer != 1 or rate == 3:
            return
        kbits = (_KBITS_1 if version == 3 else _KBITS_2)[bits] if bits < 15 else 0
        if not kbits:
            return
        samples, hertz = (1_152 if version == 3 else 576), _RATES[version][rate]
        place += samples // 8 * kbits * 1_000 // hertz + (head >> 9 & 1)
        yield samples / hertz
