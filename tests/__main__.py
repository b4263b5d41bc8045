"""The gate: `python -m tests [PYTEST ARGUMENTS]` runs every check, the same for people and CI."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# Most tests wait for processes, so there are more workers than cores. Groups share one.
WORKERS = min(4 * (os.cpu_count() or 1), 16)
CHECKS: dict[str, list[str]] = {
    "lint": [str(BIN / "ruff"), "check"],
    "format": [str(BIN / "ruff"), "format", "--check"],
    "types": [str(BIN / "mypy")],
    "layers": [str(BIN / "lint-imports")],
}
"""What is looked at beside the tests, one after the other."""
TESTS = [
    sys.executable,
    "-m",
    "pytest",
    "-m",
    "not slow",
    "-n",
    str(WORKERS),
    "--dist",
    "loadgroup",
    "--no-loadscope-reorder",  # see conftest
    "-o",
    "tmp_path_retention_policy=failed",
]
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
"""A filesystem in memory, and how much of it must be free, in bytes, to be used."""


@contextmanager
def _temporary_files() -> Iterator[dict[str, str]]:
    """The environment in which temporary files lie in memory, where there is room for them.

    Each job of the daemon syncs some 30 files: on most disks, tests would wait for little else.
    """
    if not (MEMORY.is_dir() and _is_fit(os.statvfs(MEMORY))):
        yield {}
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="nstd-", ignore_cleanup_errors=True) as to:
        yield {"TMPDIR": to}


def _is_fit(place: os.statvfs_result) -> bool:
    """There is room, and what lies there may be run: tests write commands."""
    return place.f_bavail * place.f_frsize >= ROOM and not place.f_flag & os.ST_NOEXEC


def main() -> int:
    """Run every check, even when one fails; 1 if any did."""
    with _temporary_files() as places:
        return _check(places)


def _check(places: dict[str, str]) -> int:
    environment = os.environ | places | {"OMP_NUM_THREADS": "1"}  # tests share the cores
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile
    with ThreadPoolExecutor(1) as beside:
        told = {name: beside.submit(_told, name, environment) for name in CHECKS}
        print("== tests", flush=True)
        done = subprocess.run([*TESTS, *sys.argv[1:]], cwd=ROOT, env=environment)
    failed = [name for name, is_good in told.items() if not is_good.result()]
    failed += ["tests"] if done.returncode else []
    print(f"== failed: {', '.join(failed)}" if failed else "== all checks passed", flush=True)
    return 1 if failed else 0


def _told(name: str, environment: dict[str, str]) -> bool:
    """Whether a check passed; all that it says is printed at once, as tests run meanwhile."""
    done = subprocess.run(
        CHECKS[name],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    print(f"\n== {name}\n{done.stdout}", end="", flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
