"""The commands of the documents, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def documents() -> list[Path]:
    """Those that tell people what to type."""
    return [ROOT / "README.md", *sorted((ROOT / "nstd" / "manual").glob("*.md"))]


def block_with(words: str, language: str = "sh") -> list[str]:
    """The lines of the one block, in any document, that has these words; no empty ones."""
    found = [block for each in documents() for block in blocks(each, language) if words in block]
    assert len(found) == 1, f"{len(found)} blocks have {words!r}"
    return [line for line in found[0].splitlines() if line]


def blocks(document: Path, language: str = "sh") -> list[str]:
    """The blocks of code in a document, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), re.M | re.S)
