"""The list of promises in the manual names tests that exist, and each promise has one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from manual.documents import marked, page

TESTS = Path(__file__).parents[1]


def names_of(file: str) -> set[str]:
    """The names of the tests in a file of this folder."""
    tree = ast.parse((TESTS / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_a_test_that_exists() -> None:
    """A test that is renamed or removed takes its promise with it."""
    head, _, *rows = marked(page("design"))["promises"].splitlines()
    assert head == "| promise | test |"
    assert len(rows) > 10
    for row in rows:
        _, promise, test, _ = (cell.strip() for cell in row.split("|"))
        named = re.fullmatch(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`", test)
        assert promise
        assert named, row
        assert named[2] in names_of(named[1]), row
