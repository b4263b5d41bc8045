"""Places for attempts on a cluster: each node's resources, divided by the needs of one job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nstd.documents.settings import ExecutorSettings

_ROUNDING = 1e-6  # so that ten times 0.1 counts as one


@dataclass(frozen=True)
class Place:
    """Room for one attempt; `device` is for example `studio2/gpu:0`, the first place of a node."""

    device: str
    node: str  # Ray's id of the node


class Nodes:
    """Names of nodes: their host names, with a part of the id where several have the same name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}

    def name(self, alive: Mapping[str, str]) -> dict[str, str]:
        """The names by node id, from host names by node id; a node keeps its name while it
        lives."""
        self._names = {node: name for node, name in self._names.items() if node in alive}
        for node, host in alive.items():
            if node not in self._names:
                is_taken = host in self._names.values()
                self._names[node] = f"{host}-{node[:6]}" if is_taken else host
        return self._names


def resources_per_job(settings: ExecutorSettings) -> dict[str, float]:
    """The resources that one attempt needs, by Ray's names of resources."""
    asked = {"CPU": settings.num_cpus, "GPU": settings.num_gpus, "memory": float(settings.memory)}
    return {name: amount for name, amount in (asked | settings.resources).items() if amount > 0}


def room(resources: Mapping[str, float], asked: Mapping[str, float], most: int) -> int:
    """How many attempts fit on a node with `resources` at once; at most `most`."""
    counts = (int(resources.get(name, 0.0) / amount + _ROUNDING) for name, amount in asked.items())
    return min(most, *counts) if asked else most


def places(
    nodes: Iterable[Mapping[str, Any]], names: Nodes, settings: ExecutorSettings
) -> list[Place]:
    """The places of the `nodes` that Ray lists, spread over them."""
    alive = {node["NodeID"]: node for node in nodes if node["Alive"]}
    asked, kind = resources_per_job(settings), "gpu" if settings.num_gpus else "cpu"
    named = names.name(
        {node: description["NodeManagerHostname"] for node, description in alive.items()}
    )
    found = [
        (index, named[node], Place(f"{named[node]}/{kind}:{index}", node))
        for node, description in alive.items()
        for index in range(room(description["Resources"], asked, settings.jobs))
    ]
    return [place for *_, place in sorted(found, key=lambda each: each[:2])]


def chosen(
    devices: Sequence[str], before: Iterable[str], running: Iterable[str], most: int
) -> list[str]:
    """Those of the `devices` that are used, so that at most `most` jobs run at once.

    Devices chosen `before` stay chosen: otherwise new nodes would get jobs while the old ones still
    run theirs, and more than `most` would run.
    """
    here = set(devices)
    kept = [device for device in before if device in here]
    leaving = sum(device not in here for device in running)
    ranked = dict.fromkeys([*kept, *devices])
    taken = set(list(ranked)[: max(0, most - leaving)])
    return [device for device in devices if device in taken]
