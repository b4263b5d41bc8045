"""Which of the free slots a job gets."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence

from nstd.devices import Slot


class Idle:
    """Free slots in their order, each taken once; taking one costs the same however many wait."""

    def __init__(self, slots: Sequence[Slot], warm: Mapping[Slot, str]) -> None:
        self._free, self._all = set(slots), deque(slots)
        self._by_warmth: dict[str | None, deque[Slot]] = defaultdict(deque)
        for slot in slots:
            self._by_warmth[warm.get(slot)].append(slot)

    def __bool__(self) -> bool:
        return bool(self._free)

    def take(self, affinity: str, admits: Callable[[Slot], bool]) -> Slot | None:
        """The first that is warm for `affinity`, else the first cold one, else the first of all.

        One that does not admit a job now is passed over, for the next job too.
        """
        for queue in (self._by_warmth[affinity], self._by_warmth[None], self._all):
            while queue:
                slot = queue.popleft()
                if slot not in self._free:  # it was taken from another queue
                    continue
                self._free.remove(slot)
                if admits(slot):
                    return slot
        return None
