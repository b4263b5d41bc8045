"""A Ray cluster on this machine, in a process of its own: commands come in on standard input.

Each is a JSON list of a name and arguments on a line, and each answer is a line of JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from ray._private import node, services
from ray.cluster_utils import Cluster

from support import fork_server

HEAD = {
    "include_dashboard": False,
    "dashboard_agent_listen_port": 0,
    "include_log_monitor": False,
    "no_monitor": True,  # of the autoscaler
    # A node that is gone is missed after two seconds, not after twenty.
    "_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 3},
}

PROCESS = str(Path(fork_server.__file__))
NODE = {"setup_worker_path": str(Path(__file__).with_name("ray_worker.py"))}
FORKED, IDLE = "--runtime_env_agent_command=", "--dashboard_agent_command="
UNUSED = ("dashboard_agent_listen_port", "metrics_agent_port", "metrics_export_port")


def save_imports() -> None:
    """Have nodes start fewer Python processes that import the whole of Ray.

    Agents are forked. What only shows a cluster is left out: `include_dashboard` only makes it
    smaller.
    """

    def start_node(command: list[str], *given: Any, **named: Any) -> Any:
        return start([_cheaper(part, command) for part in command], *given, **named)

    start = services.start_ray_process
    setattr(services, "start_ray_process", start_node)  # noqa: B010 - it is not typed
    setattr(node.Node, "start_api_server", lambda *_, **__: None)  # noqa: B010


def _cheaper(part: str, command: list[str]) -> str:
    """An argument of a node's command: the commands of its agents become others."""
    if part.startswith(FORKED):
        return part.replace(sys.executable, f"{sys.executable} {PROCESS}", 1)
    if part.startswith(IDLE):
        told = dict(each.partition("=")[::2] for each in command)
        for name in UNUSED:
            place = Path(told["--session_dir"]) / f"{name}_{told['--node_id']}"
            place.write_text("-1")  # as an agent says whose Ray has nothing for dashboards
        return f"{IDLE}{sys.executable} -E -S {PROCESS}"
    return part


class Stage:
    """The cluster of the moment; nodes are known by the order in which they came."""

    def __init__(self) -> None:
        self.cluster: Any = None
        self.nodes: list[Any] = []

    def head(self, port: int, **resources: Any) -> str:
        """Start a head that listens on `port`; its address."""
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args=HEAD | NODE | {"gcs_server_port": port} | resources,
        )
        return str(self.cluster.address)

    def add(self, **resources: Any) -> int:
        """Add a node; its number."""
        self.nodes.append(self.cluster.add_node(**NODE, **resources))
        return len(self.nodes) - 1

    def kill(self, number: int) -> str:
        """Kill all processes of a node without grace; the node's id."""
        node = self.nodes[number]
        self.cluster.remove_node(node, allow_graceful=False)
        return str(node.node_id)

    def behead(self) -> None:
        """Kill all processes of the head, then of the nodes, which cannot live without it."""
        for each in [self.cluster.head_node, *self.cluster.worker_nodes]:
            each.kill_all_processes(check_alive=False, allow_graceful=False)


def main() -> None:
    """Serve until the end of the input, beside the process that agents come from."""
    folder = tempfile.mkdtemp(dir=os.environ["RAY_TMPDIR"])  # none that a forked process removes
    os.environ[fork_server.FORKS] = path = f"{folder}/forks"
    with fork_server.listening(path) as server:
        if (forks := os.fork()) == 0:
            fork_server.serve(server)
    try:
        serve()
    finally:
        os.kill(forks, signal.SIGKILL)
        shutil.rmtree(folder)


def serve() -> None:
    """Serve until the end of the input."""
    save_imports()
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
