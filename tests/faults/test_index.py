"""The index of faults leads to tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
LITTLE = {"a", "and", "at", "in", "of", "on", "one", "that", "the", "with"}


class Row(NamedTuple):
    """A fault, and the modules that its tests are in, or one `module.test`."""

    fault: str
    modules: list[str]


def rows() -> Iterator[Row]:
    """The table of README.md."""
    for line in (HERE / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells[0] != "fault":
            yield Row(cells[0], cells[2].split(", "))


def words(text: str) -> list[str]:
    """The words that a name of a test can have."""
    text = text.lower().replace("+-", "plus minus ").replace("10,000", "10000")
    return [word for word in re.split(r"[^a-z0-9]+", text) if word]


def names_of(module: str) -> list[str]:
    """The names of the tests of a module, here or in another folder of tests."""
    here = HERE / f"{module}.py"
    path = here if here.exists() else next(HERE.parent.rglob(f"{module}.py"))
    nodes = ast.walk(ast.parse(path.read_text()))
    names = [node.name for node in nodes if isinstance(node, ast.FunctionDef)]
    return [name for name in names if name.startswith("test_")]


def covering(row: Row) -> set[str]:
    """The tests whose names hold at least the first word of the row, and another one."""
    wanted = [word for word in words(row.fault) if word not in LITTLE]
    names = [name for module in row.modules for name in names_of(module)]
    return {name for name in names if len({*words(name)} & {*wanted}) >= min(2, len(wanted))}


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row.fault)
def test_a_row_of_the_index_is_found_by_its_words(row: Row) -> None:
    """All the words that count stand in the names of its tests."""
    module, _, test = row.modules[0].partition(".")
    if test:
        assert test in names_of(module)
        return
    found = {word for name in covering(row) for word in words(name)}
    missing = [word for word in words(row.fault) if word not in found | LITTLE]
    assert not missing, f"no test of {row.modules} is called after {missing}"
