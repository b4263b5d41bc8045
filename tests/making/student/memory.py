"""Parts that were shown with the teacher's answers, kept to be shown again: the teacher is slow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from making.student.pictures import SIDE

SIZES = {
    "relu3_1": (256, SIDE // 8),
    "relu4_1": (512, SIDE // 8),
    "relu4_2": (512, SIDE // 8),
    "relu5_1": (512, SIDE // 16),
}
"""Channels and side of what is kept: of relu3_1 every second row and column."""
STEPS = 255  # of the root of an activation


class Memory:
    """A ring of `room` parts in files of `folder`."""

    def __init__(self, folder: Path, room: int, most: dict[str, float]) -> None:
        """`most` is the largest activation of each target that is kept exactly."""
        folder.mkdir(parents=True, exist_ok=True)
        self._most = most
        self._room = room
        self.count = 0
        self._shown = np.memmap(folder / "shown", np.uint8, "w+", shape=(room, 3, SIDE, SIDE))
        self._phases = np.zeros((room, 2), int)
        self._answers = {
            name: np.memmap(folder / name, np.uint8, "w+", shape=(room, side, side, channels))
            for name, (channels, side) in SIZES.items()
        }

    def put(self, parts: Tensor, answers: dict[str, Tensor], rng: Generator) -> None:
        """Keep a batch; the oldest go."""
        for number in range(len(parts)):
            place = self.count % self._room
            self.count += 1
            self._shown[place] = (parts[number] * 255).round().byte().numpy()
            self._phases[place] = phase = rng.integers(2, size=2)
            for name, answer in answers.items():
                one = answer[number]
                if name == "relu3_1":
                    one = one[:, phase[0] :: 2, phase[1] :: 2]
                root = (one / self._most[name]).clamp(max=1).sqrt() * STEPS
                self._answers[name][place] = root.round().byte().permute(1, 2, 0).numpy()

    def some(self, count: int, rng: Generator) -> tuple[Tensor, np.ndarray, dict[str, Tensor]]:
        """A random batch: parts, the phases of relu3_1, answers."""
        held = min(self.count, self._room)
        places = np.sort(rng.choice(held, min(count, held), replace=False))
        answers = {
            name: (torch.from_numpy(kept[places]).float() / STEPS)
            .square_()
            .mul_(self._most[name])
            .permute(0, 3, 1, 2)
            for name, kept in self._answers.items()
        }
        return torch.from_numpy(self._shown[places]).float() / 255, self._phases[places], answers
