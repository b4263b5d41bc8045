"""The motion of the camera: an affine motion of most of the frame, exact to a part of a pixel.

It is found from all of the frame together, and so is exact where optical flow is not: in plain
parts, and in noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nstd.images.film.opencv import load_cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nstd.backend import Pixels

    Plane = NDArray[np.float32]
    Flow = NDArray[np.float32]
    Affine = NDArray[np.float32]

SIDE = 256  # pixels of the longer side of the copies that are looked at
SAMPLED = 64  # positions along the longer side at which the flow is looked at
FITS = 10  # rounds of a robust fit
OUTLIER = 3.0  # times the median error: what is off by more counts for less than half
WINDOW = 4.0  # pixels: deviation of the window in which two explanations are compared
DARK = 0.1 / 255  # added to errors before their logarithm
PREFERRED = 0.02  # of the logarithm of the error: the camera is at rest, if moving is no better
AT_REST = 0.05  # pixels: a camera that moves less is at rest


def camera_of(flow: Flow, here: Pixels, there: Pixels) -> Flow:
    """The camera's motion as a flow from `here` to `there`; all zero if the camera is at rest.

    `flow` is the optical flow between them. Both should be without noise.
    """
    height, width, _ = flow.shape
    factor = min(1.0, SIDE / max(height, width))
    size = max(2, round(width * factor)), max(2, round(height * factor))
    cv2 = load_cv2()
    grey, other = (
        np.ascontiguousarray(cv2.resize(x, size, interpolation=cv2.INTER_AREA).mean(2))
        for x in (here, there)
    )
    small = factor * cv2.resize(flow, size, interpolation=cv2.INTER_AREA)
    affine = _best(grey, other, small) / factor
    camera: Flow = (_places(height, width) @ affine).astype(np.float32)
    return camera if np.square(camera).sum(2).max() > AT_REST**2 else np.zeros_like(camera)


def _best(here: Plane, there: Plane, flow: Flow) -> Affine:
    """The one of some affine motions that explains most of the area of `here`.

    By the mean logarithm of the error, so that a thing with much contrast has no more say than
    another of its size.
    """
    rest = np.zeros((3, 2), np.float32)
    found = [_refined(here, there, start) for start in (rest, _fitted(flow))]
    scores = [_score(_error(here, there, affine)) for affine in (rest, *found)]
    best = int(np.argmin(scores))
    return rest if scores[0] <= scores[best] + PREFERRED else found[best - 1]


def _score(error: Plane) -> float:
    cv2 = load_cv2()
    return float(np.log(cv2.GaussianBlur(np.abs(error), (0, 0), WINDOW) + DARK).mean())


def _refined(here: Plane, there: Plane, affine: Affine) -> Affine:
    """The motion near `affine` by the method of Lucas, Kanade (1981), with the weights of the
    Cauchy distribution."""
    down, right = (np.asarray(np.gradient(here, axis=axis)) for axis in (0, 1))
    places = _places(*here.shape)
    slopes = np.concatenate([right[..., None] * places, down[..., None] * places], 2)
    slopes = slopes.reshape(-1, 6)
    for _ in range(FITS):
        error = _error(here, there, affine).ravel()
        some = (slopes * _robust(np.abs(error))[:, None]).T
        step = np.linalg.lstsq(some @ slopes, some @ error, rcond=1e-6)[0]
        affine = affine - step.reshape(2, 3).T
    return affine


def _error(here: Plane, there: Plane, affine: Affine) -> Plane:
    """What `there`, moved by `affine`, differs from `here`."""
    cv2 = load_cv2()
    height, width = here.shape
    rows, columns = np.indices(here.shape, dtype=np.float32)
    x, y = np.moveaxis((_places(height, width) @ affine).astype(np.float32), 2, 0)
    moved = cv2.remap(
        there, columns + x, rows + y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    error: Plane = moved - here
    return error


def _fitted(flow: Flow) -> Affine:
    """The affine motion that fits most of `flow`."""
    step = max(1, max(flow.shape) // SAMPLED)
    places, seen = _places(*flow.shape[:2])[::step, ::step].reshape(-1, 3), flow[::step, ::step]
    seen = seen.reshape(-1, 2)
    weights = np.ones(len(seen), np.float32)
    for _ in range(FITS):
        root = np.sqrt(weights)[:, None]
        found = np.linalg.lstsq(root * places, root * seen, rcond=None)[0]
        weights = _robust(np.linalg.norm(seen - places @ found, axis=1))
    return np.asarray(found, np.float32)


def _places(height: int, width: int) -> Plane:
    """1, the column and the row of each position, (height, width, 3), the longer side being 1."""
    rows, columns = np.indices((height, width), dtype=np.float32) / max(height, width)
    return np.stack([np.ones_like(rows), columns, rows], 2)


def _robust(error: Plane) -> Plane:
    scale = max(OUTLIER * float(np.median(error)), 1e-6)
    return np.asarray(1 / (1 + (error / scale) ** 2), np.float32)
