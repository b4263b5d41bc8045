"""Fuzzing of what strangers hand in: `python -m tests.fuzz sidecar|config|image`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run by itself: the tests' own helpers
