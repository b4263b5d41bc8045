"""Names that are taken get a number."""

from __future__ import annotations

import os
from itertools import islice

from nstd.system.numbered import distinct, numbered


def test_the_first_has_no_number() -> None:
    """The number stands before the suffix."""
    names = islice(numbered("beach", ".yaml"), 3)
    assert list(names) == ["beach.yaml", "beach-2.yaml", "beach-3.yaml"]


def test_numbered_names_fit_into_a_file_name() -> None:
    """The stem gives way, in whole characters, also for bytes that are no UTF-8."""
    names = numbered("é" * 125, ".yaml")
    assert next(names) == "é" * 125 + ".yaml"
    assert next(names) == "é" * 124 + "-2.yaml"
    odd = numbered(os.fsdecode(b"\xff" * 250), ".yaml")
    assert len(os.fsencode([next(odd), next(odd)][1])) == 255


def test_names_that_differ_in_case_alone_are_told_apart() -> None:
    """Some disks do not."""
    assert distinct(["a", "A", "b", "a"]) == ["a", "A-2", "b", "a-3"]
    assert distinct(["1", "1"], " ({})") == ["1", "1 (2)"]


def test_a_number_gives_none_of_the_names_to_another() -> None:
    """Also where the one that is called so comes later."""
    assert distinct(["a", "a", "A-2", "a"]) == ["a", "a-3", "A-2", "a-4"]
