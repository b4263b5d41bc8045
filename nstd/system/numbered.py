"""Numbered names, for files whose name is taken: `beach-2` beside `beach`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence

NAME_MAX = 255
"""The most bytes of a file name."""


def numbered(stem: str, suffix: str = "") -> Iterator[str]:
    """`beach.yaml`, `beach-2.yaml`, `beach-3.yaml` ..., the numbered ones with at most `NAME_MAX`
    bytes."""
    yield stem + suffix
    for number in itertools.count(2):
        ending, kept = f"-{number}{suffix}", stem
        while kept and len(os.fsencode(kept + ending)) > NAME_MAX:
            kept = kept[:-1]
        yield kept + ending


def distinct(names: Sequence[str], form: str = "-{}") -> list[str]:
    """`names` with a number added to those that occur before; upper and lower case are the same.

    A number never gives one of them the name of another.
    """
    own = {name.casefold() for name in names}
    taken: set[str] = set()
    found = []
    for name in names:
        numbers = (name + form.format(number) for number in itertools.count(2))
        candidates = (each for each in numbers if each.casefold() not in own)
        free = next(
            each for each in itertools.chain([name], candidates) if each.casefold() not in taken
        )
        taken.add(free.casefold())
        found.append(free)
    return found
