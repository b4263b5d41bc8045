"""What tests share: a root to play with, plugins, disks that fail, clusters, a browser."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parent.parent
CHECKOUT = TESTS.parent
