"""A storm over a real daemon: `python -m tests.soak`, and the cost of a scan: `... .scan`.

schedule (what befalls it, from a seed) -> storm (carries it out, with an operator who holds,
pauses and releases meanwhile) -> judge (what has become of every submission) and promises (what
the operator was promised) -> report (figures, and everything that is wrong).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # run by itself: the tests' own helpers
