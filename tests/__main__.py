"""The gate: `python -m tests [PYTEST ARGUMENTS]` runs every check, the same for people and CI."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

# Most tests wait for processes, so there are more workers than cores. Groups share one.
WORKERS = min(3 * (os.cpu_count() or 1), 16)
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
    ],
}


def main() -> int:
    """Run every check, even when one fails; 1 if any did."""
    failed = []
    for name, command in CHECKS.items():
        print(f"== {name}", flush=True)
        extra = sys.argv[1:] if name == "tests" else []
        environment = os.environ | {"OMP_NUM_THREADS": "1"}  # the tests share the cores
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # hundreds of processes would compile
        if subprocess.run([*command, *extra], cwd=ROOT, env=environment).returncode:
            failed.append(name)
    print(f"== failed: {', '.join(failed)}" if failed else "== all checks passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
