"""The temporal term: a frame of a film stays near the results of earlier frames.

Ruder, Dosovitskiy, Brox, "Artistic Style Transfer for Videos", GCPR 2016: the mean over all values
of c (x - w)^2, where w is the result of an earlier frame, moved to this one, and c the certainty.
Of several earlier frames the nearest counts that is certain: the long-term weights of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from nstd.backend import Task
from nstd.backends.gatys.options import Options
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.regions import averaged, plane
from nstd.backends.gatys.resizing import resize
from nstd.backends.gatys.tensors import to_tensor

SHARE = 0.25  # of the work of a first frame: that of a frame that is wholly known
LEAST = 6  # evaluations on a level
PATIENCE = {"lbfgs": 3, "adam": 10}  # steps without improvement that count as a plateau
TOLERANCE = 5.0  # times that of a first frame
RATE = 0.1  # of adam's learning rate
EAGER = 4.0  # times the share of the settings that has changed: what is made anew of a frame


@dataclass(frozen=True)
class Memory:
    """What is known of a frame: the `picture` (1, 3, H, W) of earlier results, and how certain each
    position is: `certainty` (1, 1, H, W), from 0 to 1.

    `hold` is less than 1 where styles or strength have changed since: the frame stays less near.
    """

    picture: Tensor
    certainty: Tensor
    hold: float = 1.0

    @classmethod
    def of(cls, task: Task) -> Self | None:
        """The results of earlier frames of `task` in one picture; None in the first of a scene.

        Without `long_term` only the frame just before counts.
        """
        if not task.earlier:
            return None
        used = task.earlier if task.options.long_term else task.earlier[:1]
        height, width, _ = task.content.shape
        left = torch.ones(1, 1, height, width, device=task.device)
        picture = torch.zeros(1, 3, height, width, device=task.device)
        for earlier in used:
            share = left * plane(earlier.certainty, task.device)
            picture += share * to_tensor(earlier.pixels, task.device)
            left = left - share
        certainty, change = 1 - left, changed(task)
        picture = picture / certainty.clamp(min=1e-6)
        # the memory is the best place to start at, whatever has changed
        whole = (certainty / (1 - change / 2)).clamp(max=1)
        return cls(picture, whole, max(0.0, 1 - EAGER * change))

    def at(self, level: Level) -> Memory:
        """The memory at the size of `level`."""
        size = level.height, level.width
        certainty = averaged(self.certainty, *size)
        assert certainty is not None
        return replace(self, picture=resize(self.picture, *size).clamp(0, 1), certainty=certainty)

    def over(self, ground: Tensor) -> Tensor:
        """The memory, and `ground` (1, 3, H, W) where there is none."""
        return torch.lerp(ground, self.picture, self.certainty)

    def distance(self, x: Tensor, gradient: Tensor, weight: float) -> Tensor:
        """The term of a picture `x`, a scalar; adds its gradient, times `weight`, to `gradient`."""
        off = self.certainty * (x - self.picture)
        gradient.add_(off, alpha=2 * weight / x.numel())
        return (off * (x - self.picture)).mean()


def changed(task: Task) -> float:
    """The share in which styles and strength have changed since the frame before.

    By half of it the certainty is smaller everywhere; a smaller one is due to the content.
    """
    most = float(task.earlier[0].certainty.max())
    return 2 * (1 - most) if most >= 0.5 else 0.0


def levels_after(levels: Sequence[Level], task: Task) -> tuple[Level, ...]:
    """The levels of a frame that is known in part: of one that is known, the finest alone.

    The less is known, the more is done, and on coarser levels too; all that a first frame takes, if
    nothing is. While styles or strength change, all of the frame has some way to go.
    """
    change = changed(task)
    unknown = 1 - float(task.earlier[0].certainty.mean()) / (1 - change / 2)
    unknown = min(1.0, unknown + EAGER * change)
    *coarser, finest = levels
    known = SHARE * sum(level.cost for level in levels) / finest.pixels
    count = max(LEAST, round(known + unknown * (finest.evaluations - known)))
    begun = [replace(each, evaluations=round(unknown * each.evaluations)) for each in coarser]
    kept = [level for level in begun if level.evaluations >= LEAST]
    return (*kept, replace(finest, evaluations=count))


def options_after(options: Options) -> Options:
    """`options` for a frame that begins near its end.

    Small steps of adam, whose first steps are as long as its rate whatever the gradient, and a
    larger tolerance: noise of the film is no reason to move.
    """
    return options.model_copy(
        update={
            "tolerance": TOLERANCE * options.tolerance,
            "learning_rate": RATE * options.learning_rate,
        }
    )
