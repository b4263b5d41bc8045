"""Names for what would have the name of something else: `beach-2` beside `beach`."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Sequence

NAME_MAX = 255
"""Bytes of a file name."""


def numbered(
    stem: str, suffix: str = "", *, form: str = "-{}", most: float = NAME_MAX
) -> Iterator[str]:
    """`beach.yaml`, `beach-2.yaml`, `beach-3.yaml` ..., the later ones of `most` bytes at most."""
    yield stem + suffix
    for number in itertools.count(2):
        ending, kept = form.format(number) + suffix, stem
        while kept and len(os.fsencode(kept + ending)) > most:
            kept = kept[:-1]
        yield kept + ending


def distinct(names: Sequence[str], form: str = "-{}") -> list[str]:
    """`names`, those that others have already with a number; upper case makes no difference."""
    taken: set[str] = set()
    found = []
    for name in names:
        candidates = numbered(name, form=form, most=math.inf)
        free = next(each for each in candidates if each.casefold() not in taken)
        taken.add(free.casefold())
        found.append(free)
    return found
