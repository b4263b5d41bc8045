"""Where on a cluster there is room for jobs; without Ray."""

from __future__ import annotations

from typing import Any

import pytest

from nstd.documents.settings import ExecutorSettings
from nstd.executors.cluster.places import Nodes, chosen, places


def node(name: str, host: str = "", *, alive: bool = True, **resources: float) -> dict[str, Any]:
    """A node as Ray lists it."""
    told = {"NodeID": name, "Alive": alive, "NodeManagerHostname": host or name}
    return told | {"Resources": resources}


def found(*nodes: dict[str, Any], names: Nodes | None = None, **settings: Any) -> list[str]:
    """The devices of the places that these nodes make."""
    asked = ExecutorSettings.model_validate({"num_cpus": 0} | settings)
    return [place.device for place in places(nodes, names or Nodes(), asked)]


@pytest.mark.parametrize(
    ("settings", "devices"),
    [
        ({}, ["a/gpu:0", "b/gpu:0", "b/gpu:1"]),
        ({"num_gpus": 2}, ["b/gpu:0"]),
        ({"num_gpus": 0.5}, ["a/gpu:0", "b/gpu:0", "a/gpu:1", "b/gpu:1", "b/gpu:2", "b/gpu:3"]),
        ({"num_gpus": 0, "num_cpus": 4}, ["a/cpu:0", "b/cpu:0"]),
        ({"memory": "3GiB"}, ["b/gpu:0"]),
        (
            {"resources": {"nstd": 0.1}, "num_gpus": 0, "jobs": 20},
            [f"a/cpu:{n}" for n in range(10)],
        ),
        ({"num_gpus": 3}, []),
    ],
)
def test_places_are_what_nodes_have_by_what_a_job_asks(
    settings: dict[str, Any], devices: list[str]
) -> None:
    """Spread over the nodes, the first of each first; a dead node has none."""
    a = node("a", GPU=1.0, CPU=4.0, memory=2.0 * 2**30, nstd=1.0)
    b = node("b", GPU=2.0, CPU=4.0, memory=4.0 * 2**30)
    assert found(a, node("c", GPU=8.0, alive=False), b, **settings) == devices


def test_nodes_of_one_host_are_told_apart_and_keep_their_names() -> None:
    """As long as they live; a name is free again when its node is gone."""
    names, first, second = Nodes(), node("1" * 9, "box", GPU=1.0), node("2" * 9, "box", GPU=1.0)
    assert found(first, second, names=names) == ["box/gpu:0", "box-222222/gpu:0"]
    assert found(second, names=names) == ["box-222222/gpu:0"]
    third = node("3" * 9, "box", GPU=1.0)
    assert found(third, second, names=names) == ["box/gpu:0", "box-222222/gpu:0"]


def test_no_more_than_the_cap_run_at_once_though_nodes_come_and_go() -> None:
    """Places that have a job keep it and their room; what runs on a node that is gone counts."""
    assert chosen(["b", "c"], [], [], 1) == ["b"]
    assert chosen(["a", "b", "c"], ["b"], ["b"], 1) == ["b"]
    assert chosen(["a", "b", "c"], ["b"], ["b"], 2) == ["a", "b"]
    assert chosen(["a", "c"], ["b"], ["b"], 1) == []
    assert chosen(["a", "c"], ["b"], [], 1) == ["a"]
