"""OpenCV, which is optional: only films need it."""

from __future__ import annotations

from typing import Any

from nstd.errors import PictureError


def load_cv2() -> Any:
    """The module `cv2`, on one thread: its optical flow depends on how many there are.

    Raises PictureError if it is not installed.
    """
    try:
        import cv2
    except ImportError:
        raise PictureError(
            "picture_refused",
            "films need OpenCV, which is not installed",
            "install it with: pip install 'nstd[film]'",
        ) from None
    cv2.setNumThreads(1)
    return cv2
