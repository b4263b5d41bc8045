"""Train the student: `python -m tests.making.student WHEEL MINUTES OUT PICTURES...`, from the checkout."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from making.student.training import train

wheel, minutes, out, *folders = sys.argv[1:]
train(Path(wheel), [Path(f) for f in folders], float(minutes), Path(out))
