"""Texts of records, made safe to show: other people may write to the outbox."""

from __future__ import annotations

from nstd.errors import printable, shortened


def shown(value: str, most: int = 300) -> str:
    """The text with control characters made visible, except line breaks, cut to `most`
    characters."""
    text = "\n".join(printable(line) for line in value[: most + 1].splitlines())
    return shortened(text, most)
