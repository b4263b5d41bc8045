"""`python -m tests.house [NAME...]`: the structure of a package, as its imports draw it.

Rooms are what stands at the top of the package (folders, and single modules), arrows the imports
between them, floors the longest chain of arrows, circles the groups of rooms that reach each other.
Then how many modules each entry point reaches, however far down.
"""

from __future__ import annotations

import sys
from collections import defaultdict

import grimp

ENTRIES = (
    ("nstd.client.status", "nstd.status"),
    ("nstd.daemon.daemon", "nstd.daemon"),
    ("nstd.executors.worker.main", "nstd.worker"),
)
"""What is measured, by its name today and before the packages."""


def main() -> None:
    """Print the figures of each package that is named, or of `nstd`."""
    for package in sys.argv[1:] or ["nstd"]:
        graph = grimp.build_graph(package, exclude_type_checking_imports=True)
        rooms = _rooms(graph, package)
        circles = [group for group in _circles(rooms) if len(group) > 1]
        arrows = sum(map(len, rooms.values()))
        modules = [name for name in graph.modules if not graph.find_children(name)]
        print(f"{package}: {len(modules)} modules, {len(rooms)} rooms at the top, {arrows} arrows")
        print(f"  floors: {_floors(rooms)}, circles: {len(circles)} {circles or ''}")
        for names in ENTRIES:
            name = next(each for each in names if each in graph.modules)
            print(f"  {name} reaches {len(graph.find_upstream_modules(name))} modules")


def _rooms(graph: grimp.ImportGraph, package: str) -> dict[str, set[str]]:
    """Each room, with the rooms that it imports."""
    rooms: dict[str, set[str]] = defaultdict(set)
    for module in graph.modules - {package, f"{package}.__main__"}:
        room = _room(module)
        rooms[room] |= {
            _room(each)
            for each in graph.find_modules_directly_imported_by(module)
            if each != package and _room(each) != room
        }
    return rooms


def _room(module: str) -> str:
    return module.split(".")[1]


def _floors(rooms: dict[str, set[str]]) -> int:
    """The longest chain, where no circle is in the way."""
    heights: dict[str, int] = {}

    def height(room: str, above: frozenset[str]) -> int:
        if room not in heights:
            below = rooms.get(room, set()) - above
            heights[room] = 1 + max((height(each, above | {room}) for each in below), default=0)
        return heights[room]

    return max(height(room, frozenset()) for room in rooms)


def _circles(rooms: dict[str, set[str]]) -> list[set[str]]:
    """Groups of rooms that reach each other."""
    reach = {room: _reached(rooms, room) for room in rooms}
    groups = [{other for other in rooms if other in reach[r] and r in reach[other]} for r in rooms]
    return [group for number, group in enumerate(groups) if group and group not in groups[:number]]


def _reached(rooms: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = list(rooms[start])
    while waiting:
        room = waiting.pop()
        if room not in found:
            found.add(room)
            waiting += rooms.get(room, set())
    return found


if __name__ == "__main__":
    main()
