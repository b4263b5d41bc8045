"""Slots: room for one job at a time on a device, and which of the free ones a job gets."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Slot:
    """Room for one job on `device`; `index` counts the slots of that device from 0."""

    device: str
    index: int

    @property
    def name(self) -> str:
        """Its name in logs and in `nstd status`: `cuda:1/0`."""
        return f"{self.device}/{self.index}"

    @property
    def kind(self) -> str:
        """`cpu`, `cuda` or `xpu`."""
        return self.device.partition(":")[0]

    @property
    def node(self) -> str:
        """The unit that fails as a whole: the node (`studio2` of `studio2/gpu:0`), else the
        device."""
        return self.device.rpartition("/")[0] or self.device


class FreeSlots:
    """Free slots in their order, each taken once; the cost of taking one does not grow with their
    number."""

    def __init__(self, slots: Sequence[Slot], warm: Mapping[Slot, str]) -> None:
        self._free, self._all = set(slots), deque(slots)
        self._by_warmth: dict[str | None, deque[Slot]] = defaultdict(deque)
        for slot in slots:
            self._by_warmth[warm.get(slot)].append(slot)

    def __bool__(self) -> bool:
        return bool(self._free)

    def take(
        self, affinity: str, admits: Callable[[Slot], bool], avoided: Set[str] = frozenset()
    ) -> Slot | None:
        """The first slot that is warm for `affinity`, else the first cold one, else the first of
        all.

        A slot that does not admit a job now is skipped, for the following jobs too; a slot of a
        `avoided` node is skipped for this job only.
        """
        for queue in (self._by_warmth[affinity], self._by_warmth[None], self._all):
            if (slot := self._first(queue, admits, avoided)) is not None:
                return slot
        return None

    def _first(
        self, queue: deque[Slot], admits: Callable[[Slot], bool], avoided: Set[str]
    ) -> Slot | None:
        found, left = None, []
        while queue and found is None:
            slot = queue.popleft()
            if slot not in self._free:  # it was taken from another queue
                continue
            if slot.node in avoided:
                left.append(slot)
                continue
            self._free.remove(slot)
            if admits(slot):
                found = slot
        queue.extendleft(reversed(left))
        return found
