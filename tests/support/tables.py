"""Tests over a table: one test with many cases, each told by its name.

A hundred tests of a millisecond each cost a minute of setting up; a hundred cases of one test cost
their hundred milliseconds. Every case runs, whatever happened to those before it; pytest counts
them as subtests, and names those that fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import Parameter, signature
from itertools import product
from typing import Any

import pytest

Rows = list[tuple[str, dict[str, Any]]]
"""The name of each case, and its arguments."""


def table(names: str | tuple[str, ...], cases: Iterable[Any]) -> Callable[[Any], Any]:
    """Like `pytest.mark.parametrize`, but all cases are one test and share its fixtures."""
    keys = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    rows = [_row(keys, case) for case in cases]

    def decorate(test: Any) -> Any:
        inner, below = getattr(test, "table", (test, [("", {})]))
        return _tabled(inner, [_joined(*pair) for pair in product(rows, below)])

    return decorate


def _row(keys: list[str], case: Any) -> tuple[str, dict[str, Any]]:
    values = case if len(keys) > 1 else (case,)
    return "-".join(map(_told, values)), dict(zip(keys, values, strict=True))


def _told(value: object) -> str:
    """As pytest names it: text and numbers as they are, and what something is called."""
    text = value if isinstance(value, str) else getattr(value, "__name__", None) or repr(value)
    return text.encode("unicode_escape").decode() if len(text) <= 60 else repr(text[:50]) + "..."


def _joined(
    one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]
) -> tuple[str, dict[str, Any]]:
    return "-".join(filter(None, (one[0], other[0]))), one[1] | other[1]


def _tabled(test: Callable[..., None], rows: Rows) -> Callable[..., None]:
    """A test that takes what `test` does but for the columns of the table."""
    columns = {key for _, arguments in rows for key in arguments}
    kept = [each for name, each in signature(test).parameters.items() if name not in columns]

    def run(*, subtests: pytest.Subtests, **fixtures: Any) -> None:
        for name, arguments in rows:
            with subtests.test(msg=name):
                test(**fixtures, **arguments)

    asked = Parameter("subtests", Parameter.KEYWORD_ONLY)
    vars(run).update(vars(test), table=(test, rows))
    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    run.__qualname__ = test.__qualname__
    run.__signature__ = signature(test).replace(parameters=[*kept, asked])  # type: ignore[attr-defined]
    return run
