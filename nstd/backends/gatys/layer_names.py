"""The names of the layers of the networks that nstd builds, in order. Does not import torch."""

from __future__ import annotations


def stage_of(layer: str) -> int:
    """The number of poolings before a layer, plus 1: the first digit of its name."""
    return int(next(filter(str.isdigit, layer)))


def _vgg(*blocks: int) -> tuple[str, ...]:
    """The usual names of a VGG's rectified convolutions, `relu1_1` to `relu5_4`."""
    return tuple(
        f"relu{block}_{unit}"
        for block, units in enumerate(blocks, start=1)
        for unit in range(1, units + 1)
    )


VGG = {
    "vgg16": _vgg(2, 2, 3, 3, 3),
    "vgg19": _vgg(2, 2, 4, 4, 4),
    "vgg19-torchvision": _vgg(2, 2, 4, 4, 4),
}
"""The layers of each VGG, by the name of the network."""

STAGES = ("stage1", "stage2", "stage3", "stage4", "stage5")

FIXED = {member: tuple(f"{stage}{member}" for stage in STAGES[:4]) for member in "ab"}
"""The layers of `fixed`, by member: two networks side by side, with different errors."""

LEARNED = tuple(f"stage{unit}" for unit in ("2c1", "3c1", "3c2", "4c1", "4c2", "5c1", "5c2"))
"""The learned layers of `student`, one after the other, from its first stage on."""

TAUGHT = ("stage3c2", "stage4c2", "stage5c2")
"""Those that have a map and so can be compared."""
