"""Texts of records, as they are shown: people may write to the outbox."""

from __future__ import annotations

from nstd.errors import printable, shortened


def shown(value: str, most: int = 300) -> str:
    """A text in which nothing is hidden but line breaks, cut off after `most` characters."""
    text = "\n".join(printable(line) for line in value[: most + 1].splitlines())
    return shortened(text, most)
