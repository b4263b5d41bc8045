"""`python -m tests.soak`: a storm over a real daemon; exit status 1 if anything was wrong."""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from pathlib import Path

from soak import disks
from soak.storm import Storm


def main() -> int:
    """Run one storm and print its figures; what it leaves is kept when something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, help="what is drawn follows from it")
    parser.add_argument("--kills", type=int, default=1000, help="of the daemon, and of workers")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="at most so long")
    given = parser.parse_args()
    seed = random.randrange(10**6) if given.seed is None else given.seed
    mounted = disks.enter()
    if not mounted:
        print("no disk is filled: that needs user namespaces", file=sys.stderr)
    folder = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-"))
    storm, is_good = Storm(folder, seed, mounted=mounted), False
    try:
        report = storm.run(given.kills, given.minutes)
        is_good = report.is_good
        print(report)
    finally:
        if not is_good:  # its disks will be gone
            shutil.copytree(folder / "root", folder / "found", symlinks=True)
            print(f"what it left is in {folder / 'found'}")
        storm.close()
    if is_good:
        shutil.rmtree(folder)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
