"""Turns: of what has the same priority, each folder has its turn, so that none starves another."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_MOST = 4096
"""The most folders whose last turn is remembered."""


class Turns:
    """When each folder had its last turn. Pure, and in memory alone."""

    def __init__(self) -> None:
        self._count = 0
        self._last: dict[str, int] = {}

    def taken(self, folder: str) -> None:
        """The folder has had a turn."""
        self._count += 1
        self._last.pop(folder, None)
        self._last[folder] = self._count
        if len(self._last) > _MOST:
            del self._last[next(iter(self._last))]

    def order(
        self, ranked: Iterable[T], priority: Callable[[T], int], folder: Callable[[T], str]
    ) -> Iterator[T]:
        """`ranked` by priority, then in turns; of a folder in the order in which they are given."""
        groups: dict[int, dict[str, deque[T]]] = defaultdict(lambda: defaultdict(deque))
        for each in ranked:
            groups[priority(each)][folder(each)].append(each)
        for value in sorted(groups, reverse=True):
            yield from self._in_turn(groups[value])

    def _in_turn(self, queues: dict[str, deque[T]]) -> Iterator[T]:
        """The folder whose turn is longest ago is next; before it, those that had none."""
        turns = [(self._last.get(name, 0), number, name) for number, name in enumerate(queues)]
        heapq.heapify(turns)
        count = self._count
        while turns:
            _, number, name = turns[0]
            yield queues[name].popleft()
            count += 1
            if queues[name]:
                heapq.heapreplace(turns, (count, number, name))
            else:
                heapq.heappop(turns)
