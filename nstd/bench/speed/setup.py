"""The common arguments of all contestants."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Setup:
    """The longest side in pixels, the weights file of VGG-19, and the threads of each process."""

    size: int
    weights: str
    threads: int
