"""A daemon with other waits, in a process of its own: `hurried.py WAITS [--once] -c CONFIG`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from nstd.daemon.daemon import Daemon
from nstd.documents.config import load_config
from nstd.system.waits import Waits


def main() -> int:
    """`nstd run`, but that waits are as the first argument says, in JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("waits", type=json.loads)
    parser.add_argument("-c", "--config", type=Path)
    parser.add_argument("--once", action="store_true")
    told = parser.parse_args()
    return Daemon(load_config(told.config), once=told.once, waits=Waits(**told.waits)).run()


if __name__ == "__main__":
    sys.exit(main())
