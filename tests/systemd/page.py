"""The commands of the documents, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def documents() -> list[Path]:
    """Those that tell people what to type."""
    return [ROOT / "README.md", *sorted((ROOT / "nstd" / "manual").glob("*.md"))]


def block_with(words: str) -> list[str]:
    """The lines of the one shell block, in any document, that has these words; no empty ones."""
    blocks = [
        block
        for document in documents()
        for block in re.findall(r"^```sh\n(.*?)^```", document.read_text(), re.M | re.S)
        if words in block
    ]
    assert len(blocks) == 1, f"{len(blocks)} blocks have {words!r}"
    return [line for line in blocks[0].splitlines() if line]


def inline(words: str) -> list[str]:
    """All that stands in backticks in the paragraphs of the one document that has these words."""
    found = [text for document in documents() if words in (text := document.read_text())]
    assert len(found) == 1, f"{len(found)} documents have {words!r}"
    (section,) = [part for part in re.split(r"^## ", found[0], flags=re.M) if words in part]
    return [re.sub(r"\s+", " ", code) for code in re.findall(r"(?<!`)`([^`]+)`(?!`)", section)]
