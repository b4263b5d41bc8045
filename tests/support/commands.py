"""Commands of nstd that run inside the test's process, where the process is not the point."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

from nstd.backends import registry
from nstd.backends.probe import BackendStatus, ProbeResult, probe
from nstd.cli import main

HERE = frozenset(
    {"submit", "status", "statsu", "check", "cancel", "retry", "init", "logs", "schema", "gallery"}
    | {"again", "expire", "hold", "release", "priority", "pause", "resume"}
)
"""Those that look at the disk, or write to it, and end."""


def run_here(
    arguments: tuple[str, ...], environment: Mapping[str, str], folder: Path
) -> subprocess.CompletedProcess[str]:
    """`nstd ARGUMENTS` in `folder`, as if in a process of its own whose output goes to pipes."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with (
        chdir(folder),
        _world(environment),
        mock.patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main(list(arguments))
            code = 0
        except SystemExit as ending:
            code = ending.code if isinstance(ending.code, int) else 0 if ending.code is None else 1
    texts = (stream.buffer.getvalue().decode("utf-8", "replace") for stream in (out, err))
    return subprocess.CompletedProcess(["nstd", *arguments], code, *texts)


@contextmanager
def _world(environment: Mapping[str, str]) -> Iterator[None]:
    """The environment of the command; what it imports from there is forgotten afterwards.

    The next root has other backends of the same names.
    """
    places = environment.get("PYTHONPATH", "").split(os.pathsep)
    before = set(sys.modules)
    with (
        mock.patch.dict(os.environ, environment, clear=True),
        mock.patch.object(sys, "path", [*places, *sys.path]),
        mock.patch.object(registry, "probe", _probe),
    ):
        yield
    for name in set(sys.modules) - before:
        if not name.startswith("nstd") and _lies_in(places, name):
            del sys.modules[name]


def _probe(name: str, value: str, seconds: float) -> ProbeResult:
    """Daemons have the puppet looked at in a process of its own; here others alone are."""
    return ProbeResult(BackendStatus.OK) if name == "puppet" else probe(name, value, seconds)


def _lies_in(places: list[str], name: str) -> bool:
    file = str(getattr(sys.modules[name], "__file__", "") or "")
    return any(place and file.startswith(f"{place}/") for place in places[:1])
