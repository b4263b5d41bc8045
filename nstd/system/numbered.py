"""Numbered names, for files whose name is taken: `beach-2` beside `beach`."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence

NAME_MAX = 255
"""The most bytes of a file name."""


def numbered(
    stem: str, suffix: str = "", *, form: str = "-{}", most: float = NAME_MAX
) -> Iterator[str]:
    """`beach.yaml`, `beach-2.yaml`, `beach-3.yaml` ..., the numbered ones with at most `most`
    bytes."""
    yield stem + suffix
    for number in itertools.count(2):
        ending, kept = form.format(number) + suffix, stem
        while kept and len(os.fsencode(kept + ending)) > most:
            kept = kept[:-1]
        yield kept + ending


def distinct(names: Sequence[str], form: str = "-{}") -> list[str]:
    """`names` with a number added to those that occur before; upper and lower case are the same."""
    taken: set[str] = set()
    found = []
    for name in names:
        candidates = numbered(name, form=form, most=math.inf)
        free = next(each for each in candidates if each.casefold() not in taken)
        taken.add(free.casefold())
        found.append(free)
    return found
