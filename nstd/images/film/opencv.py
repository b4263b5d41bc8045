"""OpenCV, which is optional: only films need it."""

from __future__ import annotations

from typing import Any

from nstd.errors import PictureError
from nstd.images.film.extra import film_extra


def load_cv2() -> Any:
    """The module `cv2`, on one thread: its optical flow depends on how many there are.

    Raises PictureError if it is not installed.
    """
    try:
        import cv2
    except ImportError:
        extra = film_extra()
        raise PictureError("picture_unreadable", extra.problem, extra.hint) from None
    cv2.setNumThreads(1)
    return cv2
