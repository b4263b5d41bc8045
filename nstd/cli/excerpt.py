"""The line of a file with a problem, and a mark below the column, as compilers show it."""

from __future__ import annotations

import re

from rich.cells import cell_len

from nstd.errors import Problem, printable

_WIDTH = 88
"""The most characters shown; of a longer line, the part around the problem."""


def lines_of(data: bytes) -> list[str]:
    """The lines of a file, as its problems count them; an empty list if it is not text."""
    if b"\0" in data:
        return []
    return re.split(r"\r\n|\r|\n", data.decode("utf-8-sig", "replace"))


def excerpt(lines: list[str], problem: Problem) -> str:
    """The line and the mark; an empty string for a problem without a line."""
    if not 0 < problem.line <= len(lines):
        return ""
    line, at = lines[problem.line - 1], problem.column - 1
    first = max(0, min(at - _WIDTH // 2, len(line) - _WIDTH))
    last = first + _WIDTH
    before = ("…" if first else "") + _shown(line[first:at])
    after = _shown(line[at:last]) + ("…" if last < len(line) else "")
    margin = f"{problem.line:5} | "
    blank = " " * (len(margin) - 2) + "| "
    return f"{margin}{before}{after}".rstrip() + f"\n{blank}{' ' * cell_len(before)}^"


def _shown(text: str) -> str:
    return printable(text.replace("\t", " "))
