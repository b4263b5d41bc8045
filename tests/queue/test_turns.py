"""Folders take turns among what has the same priority."""

from __future__ import annotations

from typing import NamedTuple

from nstd.queue.turns import Turns


class Item(NamedTuple):
    """Something of a folder."""

    folder: str
    number: int
    priority: int = 50


def order(turns: Turns, items: list[Item]) -> str:
    """The folders and numbers, in the order of their turns."""
    found = turns.order(items, lambda item: item.priority, lambda item: item.folder)
    return " ".join(f"{item.folder}{item.number}" for item in found)


def test_folders_take_turns_each_in_its_own_order() -> None:
    """A folder of many does not make one of few wait."""
    crowd = [Item("a", number) for number in range(5)]
    items = [*crowd, Item("b", 0), Item("c", 0), Item("b", 1)]
    assert order(Turns(), items) == "a0 b0 c0 a1 b1 a2 a3 a4"


def test_the_folder_whose_turn_is_longest_ago_is_next() -> None:
    """Also where each order is made anew, and only its first is taken."""
    turns, items = Turns(), [Item("a", number) for number in range(6)]
    items += [Item("b", number) for number in range(3)]
    taken = []
    while items:
        item = next(iter(turns.order(items, lambda i: i.priority, lambda i: i.folder)))
        items.remove(item)
        turns.taken(item.folder)
        taken.append(item.folder)
    assert "".join(taken) == "abababaaa"


def test_the_highest_priority_goes_first_whoever_has_the_turn() -> None:
    """Turns are among equals."""
    turns = Turns()
    turns.taken("a")
    items = [Item("a", 0), Item("b", 0), Item("a", 1, priority=60), Item("b", 1, priority=10)]
    assert order(turns, items) == "a1 b0 a0 b1"


def test_only_some_thousands_of_folders_are_remembered() -> None:
    """A daemon runs for years."""
    turns = Turns()
    for number in range(10_000):
        turns.taken(str(number))
    assert order(turns, [Item("9999", 0), Item("0", 0)]) == "00 99990"
