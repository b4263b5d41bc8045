"""The daemon imports neither torch, Ray nor what handles pictures: it survives what these do."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from typing import Any

from support.playground import Playground

import nstd

LIGHT = ("torch", "torchvision", "numpy", "PIL", "ray")
ELSEWHERE = (  # what only workers and `nstd bench` import
    "nstd.bench.",
    "nstd.executors.worker.",
    "nstd.executors.cluster.actor",
    "nstd.executors.cluster.driver",
    "nstd.executors.cluster.node",
    "nstd.executors.cluster.remote_worker",
    "nstd.outbox.contact_sheet",
    "nstd.images",
    "nstd.client.samples",
    "nstd.__main__",
)


def loaded(code: str, environment: dict[str, str], *arguments: str) -> Any:
    """What a new Python that ran `code` has imported, of what the daemon must not."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_module_of_the_daemon_imports_torch_or_handles_pictures(
    playground: Playground,
) -> None:
    """Each by itself and all together, and the classes of the built-in backends too."""
    names = [
        module.name
        for module in pkgutil.walk_packages(nstd.__path__, "nstd.")
        if not module.name.startswith((*ELSEWHERE, "nstd.backends.", "nstd.executors.inline"))
    ]
    assert "nstd.daemon.daemon" in names
    assert "nstd.executors.local" in names
    names += ["nstd.backends.gatys", "nstd.backends.color_transfer"]
    code = f"""
import importlib, json, sys
guilty = {{}}
for name in sys.argv[1:]:
    importlib.import_module(name)
    for heavy in {LIGHT!r}:
        if heavy in sys.modules:
            guilty.setdefault(heavy, name)
print(json.dumps(guilty))
"""
    assert loaded(code, playground.environment, *names) == {}


def test_a_daemon_that_has_made_a_picture_has_not_imported_torch(playground: Playground) -> None:
    """Plugins were probed, options parsed, a job run and published: all without."""
    playground.pair("beach", backend="color-transfer")
    playground.pair("other")
    code = f"""
import json, sys
from pathlib import Path
from nstd.documents.config import load_config
from nstd.daemon.daemon import Daemon
status = Daemon(load_config(Path(sys.argv[1])), once=True).run()
print(json.dumps([status, [name for name in {LIGHT!r} if name in sys.modules]]))
"""
    assert loaded(code, playground.environment, str(playground.config_path)) == [0, []]
    assert len(playground.events("job.finished")) == 2
