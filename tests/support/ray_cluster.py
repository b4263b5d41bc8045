"""A Ray cluster on this machine, in a process of its own: commands come in on standard input.

Each is a JSON list of a name and arguments on a line, and each answer is a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ray.cluster_utils import Cluster

HEAD = {
    "include_dashboard": False,
    "dashboard_agent_listen_port": 0,
    "include_log_monitor": False,
    "no_monitor": True,  # of the autoscaler
    # A node that is gone is missed after two seconds, not after twenty.
    "_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 3},
}


class Stage:
    """The cluster of the moment; nodes are known by the order in which they came."""

    def __init__(self) -> None:
        self.cluster: Any = None
        self.nodes: list[Any] = []

    def head(self, port: int, **resources: Any) -> str:
        """Start a head that listens on `port`; its address."""
        self.cluster = Cluster(
            initialize_head=True, head_node_args=HEAD | {"gcs_server_port": port} | resources
        )
        return str(self.cluster.address)

    def add(self, **resources: Any) -> int:
        """Add a node; its number."""
        self.nodes.append(self.cluster.add_node(**resources))
        return len(self.nodes) - 1

    def kill(self, number: int) -> str:
        """Kill all processes of a node without grace; the node's id."""
        node = self.nodes[number]
        self.cluster.remove_node(node, allow_graceful=False)
        return str(node.node_id)

    def behead(self) -> None:
        """Kill all processes of the head, then of the nodes, which cannot live without it."""
        for node in [self.cluster.head_node, *self.cluster.worker_nodes]:
            node.kill_all_processes(check_alive=False, allow_graceful=False)


def main() -> None:
    """Serve until the end of the input."""
    stage, answers = Stage(), os.dup(1)
    os.dup2(2, 1)  # what Ray prints is no answer
    for line in sys.stdin:
        name, arguments = json.loads(line)
        answer = getattr(stage, name)(**arguments)
        os.write(answers, json.dumps(answer).encode() + b"\n")
    if stage.cluster is not None:
        stage.behead()


if __name__ == "__main__":
    main()
