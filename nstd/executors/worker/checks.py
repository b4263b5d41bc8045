"""Checks the reports and the result of a backend before they are used: plug-ins have bugs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nstd.backend import Progress, Result
from nstd.errors import BackendError

FAR = 0.5
"""How far values may be outside [0, 1] and are clipped; values farther outside are a bug."""
_ROUNDING = 1e-6


def check_result(result: object, shape: tuple[int, ...], backend: str) -> None:
    """Raise BackendError `backend_failed` unless `result` is a Result with valid pixels.

    `shape` is that of the content: (height, width, 3).
    """
    if not isinstance(result, Result):
        raise _refused(backend, f"returned a {type(result).__name__}, not a nstd.backend.Result")
    if wrong := _wrong_pixels(result.pixels, shape):
        raise _refused(backend, f"returned {wrong}")


def check_preview(pixels: Any, backend: str) -> None:
    """The same for the picture of a Progress, which may be of another size."""
    if wrong := _wrong_pixels(pixels, (*np.shape(pixels)[:2], 3)):
        raise _refused(backend, f"reported a picture with {wrong}")


def check_progress(progress: Progress, backend: str) -> None:
    """Raise BackendError `backend_failed` for a report whose numbers contradict each other."""
    if not 0 <= progress.step <= progress.steps:
        raise _refused(backend, f"reported step {progress.step} of {progress.steps}")
    if not 1 <= progress.level <= progress.levels:
        raise _refused(backend, f"reported level {progress.level} of {progress.levels}")
    fraction = progress.fraction
    if not (math.isfinite(fraction) and -_ROUNDING <= fraction <= 1 + _ROUNDING):
        raise _refused(
            backend, f"reported that {fraction:g} of the work is done, which is not in [0, 1]"
        )


def _wrong_pixels(pixels: Any, shape: tuple[int, ...]) -> str:
    """What is wrong with `pixels`; an empty string if nothing is."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype.kind != "f":
        said = getattr(pixels, "dtype", type(pixels).__name__)
        return f"pixels of {said}, not an array of float32 in [0, 1]"
    if pixels.shape != shape or not pixels.size:
        return f"pixels of shape {pixels.shape}, not the content's {shape}"
    lowest, highest = float(pixels.min()), float(pixels.max())
    if not math.isfinite(lowest + highest):
        return "pixels that are NaN or infinite"
    if lowest < -FAR or highest > 1 + FAR:
        return f"pixels from {lowest:g} to {highest:g}, not in [0, 1]"
    return ""


def _refused(backend: str, what: str) -> BackendError:
    hint = "report it to whoever wrote the backend"
    return BackendError("backend_failed", f"backend {backend!r} {what}", hint)
