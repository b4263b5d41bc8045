"""Colour transfer: the content gets the colours of the style, and nothing else.

E. Reinhard, M. Ashikhmin, B. Gooch, P. Shirley: "Color Transfer between Images", IEEE Computer
Graphics and Applications 21(5), 2001. In l-alpha-beta space, the channels of natural pictures are
almost independent. Each channel is shifted and scaled to the mean and standard deviation of the
style's. Two differences from the paper: sRGB is linearised first, and a small amount of light is
added before the logarithm, so that it is defined for black.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from nstd.backend import Progress, Report, Result, Style, Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nstd.backend import Pixels

    Array = NDArray[np.float32]
    Vector = NDArray[np.float64]

_LMS_FROM_RGB = [  # equation 4 of the paper
    [0.3811, 0.5783, 0.0402],
    [0.1967, 0.7244, 0.0782],
    [0.0241, 0.1288, 0.8444],
]
_LAB_FROM_LOG_LMS = [  # equation 6, before each row is divided by its length
    [1.0, 1.0, 1.0],
    [1.0, 1.0, -2.0],
    [1.0, -1.0, 0.0],
]
_FLARE = 1 / 255  # the light added to each of L, M and S, as a share of white
_FLAT = 1e-6  # a channel with a smaller deviation is not scaled
_BAND_PIXELS = 1 << 20  # pixels processed at a time, to save memory


class TransferOptions(BaseModel):
    """The options of a sidecar."""

    model_config = ConfigDict(extra="forbid")

    strength: float = Field(
        1.0, ge=0, le=1, description="0 keeps the content's colours, 1 takes the style's."
    )
    preserve_luminance: bool = Field(
        False, description="Keep the content's light and dark; take hues only."
    )


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation of each l-alpha-beta channel; both of shape (3,)."""

    mean: Vector
    std: Vector


class ColorTransfer:
    """The backend `color-transfer`: quick, without a network; `scale` of a style has no effect.

    All pictures of a series, and all frames of a film, are changed in the same way: from the
    statistics of all of them.
    """

    name = "color-transfer"
    Options: type[BaseModel] = TransferOptions
    size: int | None = None
    takes = frozenset({"series"})

    def run(self, task: Task, report: Report) -> Result:
        """Recolour the content, band by band; several styles are averaged by weight."""
        import numpy as np

        options: TransferOptions = task.options
        begin = time.perf_counter()
        source = common_statistics(task.series or (task.content,))
        target = mixed_statistics(task.styles)
        fitted = time.perf_counter()
        result = np.empty_like(task.content, dtype=np.float32)
        bands = list(row_bands(task.content))
        for step, rows in enumerate(bands, start=1):
            result[rows] = recolored(task.content[rows], source, target, options)
            report(Progress(step=step, steps=len(bands), fraction=step / len(bands)))
        end = time.perf_counter()
        return Result(
            pixels=result, seconds={"statistics": fitted - begin, "transfer": end - fitted}
        )


def recolored(
    pixels: Array, source: Statistics, target: Statistics, options: TransferOptions
) -> Array:
    """`pixels` changed from the statistics `source` to those of `target` (equations 10, 11).

    Input and output are (height, width, 3) sRGB in [0, 1]; colours outside sRGB are clipped.
    """
    import numpy as np

    gain = np.where(source.std > _FLAT, target.std / np.maximum(source.std, _FLAT), 1)
    lab = to_lab(pixels)
    moved = (lab - source.mean) * gain + target.mean
    if options.preserve_luminance:
        moved[..., 0] = lab[..., 0]
    return from_lab(lab + options.strength * (moved - lab))


def statistics(pixels: Array) -> Statistics:
    """The statistics of a (height, width, 3) sRGB picture."""
    import numpy as np

    count = pixels.shape[0] * pixels.shape[1]
    bands = list(row_bands(pixels))
    mean = np.sum([to_lab(pixels[rows]).sum((0, 1)) for rows in bands], axis=0) / count
    squares = [((to_lab(pixels[rows]) - mean) ** 2).sum((0, 1)) for rows in bands]
    return Statistics(mean, np.sqrt(np.sum(squares, axis=0) / count))


def common_statistics(pictures: Sequence[Pixels]) -> Statistics:
    """The statistics of all pixels of several pictures together, each as important as another."""
    import numpy as np

    each = [statistics(pixels) for pixels in pictures]
    mean = np.mean([one.mean for one in each], axis=0)
    squares = [one.std**2 + (one.mean - mean) ** 2 for one in each]
    return Statistics(mean, np.sqrt(np.mean(squares, axis=0)))


def mixed_statistics(styles: tuple[Style, ...]) -> Statistics:
    """The statistics of several styles, averaged by weight."""
    import numpy as np

    each = [statistics(style.pixels) for style in styles]
    weights = [style.weight for style in styles]
    return Statistics(
        mean=np.average([one.mean for one in each], axis=0, weights=weights),
        std=np.average([one.std for one in each], axis=0, weights=weights),
    )


def to_lab(pixels: Array) -> Vector:
    """sRGB in [0, 1] as l-alpha-beta (equations 4 to 6); the last axis has the channels."""
    import numpy as np

    x = pixels.astype(np.float64)
    linear = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    log_lms = np.log10(linear @ np.array(_LMS_FROM_RGB).T + _FLARE)
    lab: Vector = log_lms @ _lab_from_log_lms().T
    return lab


def from_lab(lab: Vector) -> Array:
    """The inverse of `to_lab`, clipped to [0, 1]."""
    import numpy as np

    log_lms = lab @ _lab_from_log_lms()  # the matrix is orthogonal
    lms = 10 ** np.clip(log_lms, -6, 6) - _FLARE  # far above white: no overflow
    linear = np.clip(lms @ np.linalg.inv(np.array(_LMS_FROM_RGB)).T, 0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return srgb.astype(np.float32)


def row_bands(pixels: Array) -> Iterator[slice]:
    """Slices of rows that together cover the picture, about a million pixels each."""
    height, width, _ = pixels.shape
    rows = max(1, _BAND_PIXELS // width)
    return (slice(top, top + rows) for top in range(0, height, rows))


def _lab_from_log_lms() -> Vector:
    import numpy as np

    rows = np.array(_LAB_FROM_LOG_LMS)
    matrix: Vector = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return matrix
