"""Seeded mutation: the same seed and number give the same bytes on every machine."""

from __future__ import annotations

import random
import struct
import zlib

from .seeds import seeds, tokens

_PNG = b"\x89PNG\r\n\x1a\n"
_LONGEST = 65536


def make_input(target: str, seed: int, number: int) -> bytes:
    """Input `number` of the run `seed`; the first ones are the seeds themselves."""
    given = seeds(target)
    if number < len(given):
        return given[number]
    draw = random.Random(f"{target} {seed} {number}")
    data = bytearray(draw.choice(given))
    for _ in range(draw.choice((1, 1, 2, 3, 5, 9, 20))):
        data = _mutated(draw, data, given, tokens(target))[:_LONGEST]
    made = bytes(data)
    return with_sums(made) if made.startswith(_PNG) and draw.random() < 0.8 else made


def _mutated(
    draw: random.Random, data: bytearray, given: tuple[bytes, ...], words: tuple[bytes, ...]
) -> bytearray:
    at, other = draw.randrange(len(data) + 1), draw.randrange(len(data) + 1)
    first, last = min(at, other), max(at, other)
    word = draw.choice(words)
    match draw.randrange(9):
        case 0 if data:
            data[at % len(data)] ^= 1 << draw.randrange(8)
        case 1 if data:
            data[at % len(data)] = draw.randrange(256)
        case 2:
            data[at:at] = word
        case 3:
            data[at : at + len(word)] = word
        case 4:
            del data[first:last]
        case 5:
            data[at:at] = data[first:last] * draw.choice((1, 2, 30))
        case 6:
            del data[at:]
        case 7:
            rest = draw.choice(given)
            data[at:] = rest[draw.randrange(len(rest)) :]
        case _:
            data[at:at] = draw.randbytes(draw.randrange(1, 9))
    return data


def with_sums(data: bytes) -> bytes:
    """A PNG with right check sums, so that more than the sums is tested."""
    made, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        made += data[at:end] + struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(made + data[at:])
