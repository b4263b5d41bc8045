"""Train the student, from the checkout:

python -m tests.making.student WHEEL MINUTES OUT.pt FOLDERS...
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from making.student.pictures import prepared
from making.student.training import train

wheel, minutes, out, *folders = sys.argv[1:]
sets = prepared([Path(f) for f in folders], Path(out).with_name("pictures.npz"))
print(*(f"{len(s)} {n}" for n, s in sets._asdict().items()), sep=", ", flush=True)
train(Path(wheel), sets, float(minutes), Path(out))
