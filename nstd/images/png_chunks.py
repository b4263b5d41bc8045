"""The chunks of a PNG file. Uses only the standard library: the daemon reads them, too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

MOST_CHUNKS = 1_000_000
"""The most chunks of one file that are looked at."""


class Chunk(NamedTuple):
    """One chunk: its name, and where its content begins and ends in the file."""

    name: bytes
    start: int
    end: int


def png_chunks(file: BinaryIO) -> Iterator[Chunk]:
    """All chunks, as far as their heads are there; at most `MOST_CHUNKS`."""
    at = 8
    for _ in range(MOST_CHUNKS):
        file.seek(at)
        head = file.read(8)
        if len(head) < 8:
            return
        chunk = Chunk(head[4:], at + 8, at + 8 + int.from_bytes(head[:4]))
        yield chunk
        at = chunk.end + 4
