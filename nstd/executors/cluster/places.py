"""Where on a cluster attempts have room: what each node has, divided by what each job asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nstd.documents.settings import ExecutorSettings

_ROUNDING = 1e-6  # ten times 0.1 is one


@dataclass(frozen=True)
class Place:
    """Room for one attempt; `device` is like `studio2/gpu:0`, the first of its node."""

    device: str
    node: str  # Ray's id of the node


class Nodes:
    """Gives nodes names that people know: their host names, with a part of the id where shared."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, alive: Mapping[str, str]) -> dict[str, str]:
        """The names by node id, for host names by node id; a node keeps its name as it lives."""
        self._names = {node: name for node, name in self._names.items() if node in alive}
        for node, host in alive.items():
            if node not in self._names:
                is_taken = host in self._names.values()
                self._names[node] = f"{host}-{node[:6]}" if is_taken else host
        return self._names


def wanted(settings: ExecutorSettings) -> dict[str, float]:
    """What one attempt asks of its node, by Ray's names of resources."""
    asked = {"CPU": settings.num_cpus, "GPU": settings.num_gpus, "memory": float(settings.memory)}
    return {name: amount for name, amount in (asked | settings.resources).items() if amount > 0}


def room(resources: Mapping[str, float], asked: Mapping[str, float], most: int) -> int:
    """How many attempts a node with `resources` can hold at once; `most` at most."""
    counts = (int(resources.get(name, 0.0) / amount + _ROUNDING) for name, amount in asked.items())
    return min(most, *counts) if asked else most


def places(
    nodes: Iterable[Mapping[str, Any]], names: Nodes, settings: ExecutorSettings
) -> list[Place]:
    """The places of the `nodes` that Ray lists, spread over them."""
    alive = {node["NodeID"]: node for node in nodes if node["Alive"]}
    asked, kind = wanted(settings), "gpu" if settings.num_gpus else "cpu"
    named = names.name({node: told["NodeManagerHostname"] for node, told in alive.items()})
    found = [
        (index, named[node], Place(f"{named[node]}/{kind}:{index}", node))
        for node, told in alive.items()
        for index in range(room(told["Resources"], asked, settings.jobs))
    ]
    return [place for *_, place in sorted(found, key=lambda each: each[:2])]


def chosen(
    devices: Sequence[str], before: Iterable[str], running: Iterable[str], most: int
) -> list[str]:
    """Those of the `devices` that may have a job, so that `most` run at once.

    Those that were chosen `before` stay: when nodes come, what runs must not be joined by as much.
    """
    here = set(devices)
    kept = [device for device in before if device in here]
    leaving = sum(device not in here for device in running)
    ranked = dict.fromkeys([*kept, *devices])
    taken = set(list(ranked)[: max(0, most - leaving)])
    return [device for device in devices if device in taken]
