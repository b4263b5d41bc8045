"""Random weights in the form of torchvision's VGG-19, for machines that have no real ones.

An evaluation costs the same; what a loss means differs, so a report tells which were used. Run as
`python -m nstd.bench.speed.stand_in FOLDER`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from torchvision.models import vgg19  # type: ignore[import-untyped]

from nstd.weights import REGISTRY


def write(folder: Path) -> Path:
    """Write them as an installed file of `folder` (He et al., ICCV 2015), the same every time."""
    torch.manual_seed(0)
    with torch.device("meta"):
        model = vgg19()
    state = {}
    for name, wanted in model.state_dict().items():
        value = torch.zeros(wanted.shape)
        if name.startswith("features") and name.endswith("weight"):
            torch.nn.init.kaiming_normal_(value)
        state[name] = value
    path = folder / REGISTRY["vgg19"].file
    torch.save(state, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_name(path.name + ".json").write_text(json.dumps({"sha256": digest}))
    return path


if __name__ == "__main__":
    write(Path(sys.argv[1]))
