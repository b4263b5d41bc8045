"""The documents, and what they consist of: code blocks, inline code, links, headings, tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).parents[2]
README, CONTRIBUTING = SOURCE / "README.md", SOURCE / "CONTRIBUTING.md"
MANUAL = SOURCE / "nstd" / "manual"
PAGES = tuple(sorted(MANUAL.glob("*.md")))
DOCUMENTS = (README, CONTRIBUTING, *PAGES)

_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a document, without its indentation."""

    document: str  # the name of its file, without the ending
    section: str
    language: str
    text: str


def page(name: str) -> str:
    """The text of a page of the manual."""
    return (MANUAL / f"{name}.md").read_text()


def sections(path: Path) -> list[tuple[str, str]]:
    """The title and text of every section; what stands before the first one has no title."""
    first, *rest = re.split(r"^##+ ", path.read_text(), flags=re.MULTILINE)
    return [("", first), *((each.partition("\n")[0], each) for each in rest)]


def blocks(path: Path, language: str) -> list[Block]:
    """The blocks of one language, in order."""
    return [
        Block(path.stem, title, found[2], re.sub(f"^{found[1]}", "", found[3], flags=re.MULTILINE))
        for title, text in sections(path)
        for found in _FENCED.finditer(text)
        if found[2] == language
    ]


def prose(path: Path) -> str:
    """A document without its fenced blocks."""
    return _FENCED.sub("", path.read_text())


def spans(path: Path) -> list[str]:
    """The inline code of a document."""
    return [" ".join(each.split()) for each in re.findall(r"`([^`]+)`", prose(path))]


def links(path: Path) -> list[str]:
    """The targets of a document's links and pictures."""
    return re.findall(r"\]\(([^)]+)\)", prose(path))


def anchors(path: Path) -> set[str]:
    """The headings of a document, as a code host makes anchors of them."""
    titles = re.findall(r"^#+ (.*)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def marked(text: str) -> dict[str, str]:
    """What stands between marks such as `<!-- events -->` and `<!-- /events -->`, by name."""
    return dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", text, re.DOTALL))
