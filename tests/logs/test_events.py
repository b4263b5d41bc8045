"""The event vocabulary: the code and its table agree."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import nstd
from nstd.logs.events import CONTEXT, EVENTS, TERMINAL
from nstd.logs.log import emit

SOURCE = Path(nstd.__file__).parent


def emit_calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call of `emit` in the package, with its place."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "emit":
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", node


def names_of(call: ast.Call) -> set[str]:
    """The events that the first argument of a call may name, if it says so itself."""
    return {
        node.value
        for node in ast.walk(call.args[0])
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def test_every_emitted_event_stands_in_the_table_with_its_fields() -> None:
    """No call emits an event, or a field of one, that the table does not have.

    What is bound around a call shows when it is made: an absent field is an error then.
    """
    wrong = []
    for place, call in emit_calls():
        given = {keyword.arg for keyword in call.keywords if keyword.arg}
        is_whole = all(keyword.arg for keyword in call.keywords)  # else some come from a mapping
        for name in names_of(call):
            entry = EVENTS.get(name)
            if entry is None or given - entry.allowed:
                wrong.append(f"{place}: {name} {given}")
            elif is_whole and (absent := entry.required - given - CONTEXT):
                wrong.append(f"{place}: {name} lacks {absent}")
    assert not wrong


def test_every_event_of_the_table_is_emitted_somewhere() -> None:
    """The table promises no event that never comes."""
    emitted = set().union(*(names_of(call) for _, call in emit_calls()))
    assert emitted == set(EVENTS)


def test_the_level_of_every_event_is_one_that_the_config_can_ask_for() -> None:
    """`log.level` means the same words as the events."""
    assert {event.level for event in EVENTS.values()} <= {"debug", "info", "warning", "error"}
    assert set(TERMINAL) <= set(EVENTS)


@pytest.mark.parametrize("fields", [{}, {"path": "x", "error": "y"}])
def test_an_event_with_absent_or_unknown_fields_is_a_bug(fields: dict[str, str]) -> None:
    """The table holds at run time too: a line never lacks a promised field."""
    with pytest.raises(TypeError, match=r"inbox\.back"):
        emit("inbox.back", **fields)
