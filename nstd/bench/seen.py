"""Pictures as people see them, for sheets and judges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from nstd.documents.settings import LimitSettings
from nstd.executors.worker.inputs import flatten
from nstd.images.decode import load_image


def load_seen(path: Path, limits: LimitSettings, side: int | None = None) -> Image.Image:
    """A picture as it is seen, in RGB, with a longest side of at most about `side` pixels.

    Raises PictureError.
    """
    picture = load_image(
        path,
        max_pixels=limits.picture_pixels,
        max_bytes=limits.picture_bytes,
        max_side=side,
    )
    return Image.fromarray((flatten(picture) * 255 + 0.5).astype(np.uint8))
