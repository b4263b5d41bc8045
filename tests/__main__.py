"""The gate: `python -m tests [PYTEST ARGUMENTS]` runs every check, the same for people and CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
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
    "tests": [
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
    ],
}
MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
"""A filesystem in memory, and how much of it must be free, in bytes, to be used."""


@contextmanager
def _temporary_files() -> Iterator[dict[str, str]]:
    """The environment in which temporary files lie in memory, where there is room for them.

    Each job of the daemon syncs some 30 files: on most disks, tests would wait for little else.
    """
    if not MEMORY.is_dir() or shutil.disk_usage(MEMORY).free < ROOM:
        yield {}
        return
    with tempfile.TemporaryDirectory(dir=MEMORY, prefix="nstd-", ignore_cleanup_errors=True) as to:
        yield {"TMPDIR": to}


def main() -> int:
    """Run every check, even when one fails; 1 if any did."""
    with _temporary_files() as places:
        return _check(places)


def _check(places: dict[str, str]) -> int:
    failed = []
    for name, command in CHECKS.items():
        print(f"== {name}", flush=True)
        extra = sys.argv[1:] if name == "tests" else []
        environment = os.environ | places | {"OMP_NUM_THREADS": "1"}  # which tests share
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile
        if subprocess.run([*command, *extra], cwd=ROOT, env=environment).returncode:
            failed.append(name)
    print(f"== failed: {', '.join(failed)}" if failed else "== all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
