"""Regions: which styles apply to which part of the content (Gatys et al., CVPR 2017, section
4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nstd.backend import Style, Task
from nstd.backends.gatys.pyramid import Level
from nstd.backends.gatys.resizing import rescale
from nstd.backends.gatys.tensors import to_tensor
from nstd.errors import BackendError

if TYPE_CHECKING:
    from nstd.backend import Mask

BLACK = 0.5 / 255  # a mask that is nowhere brighter is empty


@dataclass(frozen=True)
class Painting:
    """A style: `picture` (1, 3, H, W), its `weight` in the mix, and its `scale`.

    `mask` (1, 1, H, W) has the weight of each pixel; None: all pixels count.
    """

    picture: Tensor
    weight: float
    scale: float
    mask: Tensor | None

    def at(self, level: Level) -> Painting:
        """The painting with the size of `level` times the scale.

        A style smaller than the level has its own size times its scale: enlarging it to the level
        would make the result blurred. With supersampling it is as much larger as the result will
        be made smaller.
        """
        longest = max(level.height, level.width)
        fit = min(level.supersampling, longest / max(self.picture.shape[2:]))
        picture = rescale(self.picture, self.scale * fit)
        height, width = picture.shape[2:]
        return replace(self, picture=picture, mask=averaged(self.mask, height, width))


@dataclass(frozen=True)
class Region:
    """A part of the content, and the paintings that are mixed in it.

    `where` (1, 1, H, W) has the weight of each pixel in the region, None: everywhere; `share` is
    relative to those of the other regions.
    """

    where: Tensor | None
    share: float
    paintings: tuple[Painting, ...]

    def at(self, level: Level) -> Region:
        """The region on `level`."""
        return replace(
            self,
            where=averaged(self.where, level.height, level.width),
            paintings=tuple(painting.at(level) for painting in self.paintings),
        )


def regions(task: Task) -> tuple[Region, ...]:
    """The regions of `task`; styles that name equal regions share one.

    Styles without a region apply where there is no other region. Empty regions and masks are left
    out with their styles. Raises BackendError `picture_refused` when no style remains.
    """
    found = [_region(styles, where, task) for where, styles in grouped(task.styles)]
    kept = tuple(region for region in found if region.share > 0)
    if not kept:
        raise BackendError(
            "picture_refused",
            "no style has a place: every region or mask is black, or the regions leave nothing",
            "paint white where a style shall apply",
        )
    return kept


def grouped(styles: Sequence[Style]) -> list[tuple[Mask | None, list[Style]]]:
    """Each region with its styles; None: everywhere.

    Styles with an empty mask are left out.
    """
    groups: dict[bytes, list[Style]] = {}
    for style in styles:
        if style.mask is None or style.mask.max() > BLACK:
            name = b"" if style.region is None else np.ascontiguousarray(style.region).tobytes()
            groups.setdefault(name, []).append(style)
    rest = _rest([style.region for style in styles if style.region is not None])
    return [
        (rest if group[0].region is None else group[0].region, group) for group in groups.values()
    ]


def averaged(mask: Tensor | None, height: int, width: int) -> Tensor | None:
    """`mask` (1, 1, H, W) at another size, by the mean over each new pixel's area."""
    return None if mask is None else functional.interpolate(mask, (height, width), mode="area")


def _region(styles: Sequence[Style], where: Mask | None, task: Task) -> Region:
    paintings = tuple(
        Painting(
            to_tensor(style.pixels, task.device),
            style.weight,
            style.scale,
            None if style.mask is None else plane(style.mask, task.device),
        )
        for style in styles
    )
    if where is None:
        return Region(None, 1.0, paintings)
    share = float(where.mean()) if where.max() > BLACK else 0.0
    return Region(plane(where, task.device), share, paintings)


def _rest(claimed: Sequence[Mask]) -> Mask | None:
    """The part without a region; None, which means everywhere, if there are no regions."""
    if not claimed:
        return None
    rest: Mask = (1 - np.sum(claimed, axis=0, dtype=np.float32)).clip(0, 1)
    return rest


def plane(mask: Mask, device: str) -> Tensor:
    """`mask` (H, W) as a tensor (1, 1, H, W) on `device`."""
    return torch.from_numpy(np.array(mask, dtype=np.float32, order="C"))[None, None].to(device)
