"""Optical flow between two frames: where each part of a frame was in an earlier one.

A flow is (height, width, 2) float32: the way, in pixels to the right and down, from each position
of a frame to the place of the same thing in another frame. It is found by DIS (Kroeger, Timofte,
Dai, Van Gool, "Fast Optical Flow using Dense Inverse Search", ECCV 2016), as OpenCV has it. Where
the motion of the camera explains a frame as well, that is taken: it is a smooth motion of the whole
frame, estimated from all of it, and so is many times more exact, above all in plain parts and in
noise. A picture that is moved hundreds of times needs this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nstd.backend import Earlier
from nstd.images.film.camera import WINDOW, camera_of
from nstd.images.film.opencv import load_cv2

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nstd.backend import Mask, Pixels

    Flow = NDArray[np.float32]
    Plane = NDArray[np.float32]
    Grey = NDArray[np.uint8]

SMOOTHNESS, ROUNDS = 40.0, 20  # of the variational refinement; twice and four times OpenCV's
SMALLEST = 16  # pixels of the shorter side, below which DIS finds nothing

DENOISE = 1.5  # pixels: deviation of the blur that the camera's motion is looked for in
DOUBT = 0.5  # times the usual error: what the camera's motion must be worse by
ROUNDING = 0.1 / 255  # of frames of 8 bits

SOFT = 1.0  # pixels: deviation of the soft edges of what is trusted
NEAR = 0.1  # of the longer side: what is between parts of a thing that moves belongs to it
CHANGED = 0.1  # of [0, 1]: a larger mean difference after the motion is another thing, or new light


def earlier_of(before: Pixels, now: Pixels, result: Pixels) -> Earlier:
    """`result`, the one of the frame `before`, moved to where the frame `now` shows its parts.

    All three are (height, width, 3) float32 sRGB in [0, 1], of one size. Deterministic: the same
    frames give the same bits. Raises PictureError if OpenCV is not installed.
    """
    flow, certainty = motion(before, now)
    return Earlier(warped(result, flow), certainty)


def motion(before: Pixels, now: Pixels) -> tuple[Flow, Mask]:
    """The flow from the frame `now` to the frame `before`, and where it can be trusted."""
    if np.array_equal(before, now):
        height, width, _ = now.shape
        return np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32)
    grey = grey_of(before), grey_of(now)
    back = steadied(flow_of(*reversed(grey)), now, before)
    forth = steadied(flow_of(*grey), before, now)
    trusted = consistent(back, forth) & ~boundaries(back) & inside(back)
    trusted &= difference(now, warped(before, back)) < CHANGED
    return back, softened(trusted)


def grey_of(pixels: Pixels) -> Grey:
    """The brightness in 8 bits, as the flow is computed from it."""
    cv2 = load_cv2()
    grey: Grey = np.rint(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) * 255).astype(np.uint8)
    return grey


def flow_of(here: Grey, there: Grey) -> Flow:
    """The flow from `here` to `there` by DIS; no motion for pictures that are too small for it."""
    if min(here.shape) < SMALLEST:
        return np.zeros((*here.shape, 2), np.float32)
    cv2 = load_cv2()
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setFinestScale(0)
    dis.setVariationalRefinementAlpha(SMOOTHNESS)
    dis.setVariationalRefinementIterations(ROUNDS)
    flow: Flow = dis.calc(here, there, None)
    return flow


def steadied(flow: Flow, here: Pixels, there: Pixels) -> Flow:
    """`flow`, or the camera's motion where that explains `here` as well from `there`.

    Compared without most of the noise: that of both frames would look like motion.
    """
    if min(flow.shape[:2]) < SMALLEST:
        return flow
    here, there = smooth(here), smooth(there)
    camera = camera_of(flow, here, there)
    own = difference(here, warped(there, flow))
    common = difference(here, warped(there, camera))
    doubt = DOUBT * float(np.median(own)) + ROUNDING
    share = spread(((common - own - doubt) / doubt).clip(0, 1))
    return np.asarray(camera + share[..., None] * (flow - camera), np.float32)


def spread(share: Plane) -> Plane:
    """`share` with the plain parts of a thing that moves: what is around them decides."""
    cv2 = load_cv2()
    side = 2 * round(max(share.shape) * NEAR / 2) + 1
    window = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    closed: Plane = cv2.morphologyEx(share, cv2.MORPH_CLOSE, window)
    return cv2.GaussianBlur(closed, (0, 0), WINDOW) if closed.any() else closed


def smooth(pixels: Pixels) -> Pixels:
    """`pixels` without most of the noise of a film."""
    cv2 = load_cv2()
    blurred: Pixels = cv2.GaussianBlur(pixels, (0, 0), DENOISE)
    return blurred


def warped(pixels: Pixels, flow: Flow) -> Pixels:
    """What `pixels` shows at the ends of `flow`; beyond the border its nearest pixels.

    By Lanczos' kernel of 8 x 8: less smooth ones blur a picture that is moved many times.
    """
    if not flow.any():
        return pixels.copy()
    cv2 = load_cv2()
    x, y = _ends(flow)
    moved: Pixels = cv2.remap(pixels, x, y, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
    return moved.clip(0, 1)


def consistent(back: Flow, forth: Flow) -> NDArray[np.bool_]:
    """Where the way there and back ends near its start: what is not so came into view.

    Ruder, Dosovitskiy, Brox (2016), after Sundaram, Brox, Keutzer (ECCV 2010): the squared gap is
    at most 0.01 of the squared lengths, and 0.5.
    """
    returning = _linear(forth, back)
    gap, lengths = _square(returning + back), _square(returning) + _square(back)
    return np.asarray(gap <= 0.01 * lengths + 0.5)


def boundaries(flow: Flow) -> NDArray[np.bool_]:
    """Where two motions meet: the squared gradient is above 0.01 of the squared length, and 0.002.

    Ruder, Dosovitskiy, Brox (2016).
    """
    if min(flow.shape[:2]) < 2:
        return np.zeros(flow.shape[:2], np.bool_)
    slopes = [np.asarray(np.gradient(flow, axis=axis)) for axis in (0, 1)]
    return np.asarray(sum(map(_square, slopes)) > 0.01 * _square(flow) + 0.002)


def inside(flow: Flow) -> NDArray[np.bool_]:
    """Where the ends of `flow` are inside the frame."""
    height, width, _ = flow.shape
    x, y = _ends(flow)
    return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))


def difference(one: Pixels, other: Pixels) -> Plane:
    """The mean absolute difference around each position, (height, width)."""
    cv2 = load_cv2()
    gap = np.abs(one - other).mean(2)
    mean: Plane = cv2.GaussianBlur(gap, (0, 0), WINDOW)
    return mean


def softened(trusted: NDArray[np.bool_]) -> Mask:
    """`trusted` as a mask that fades to its edges from inside."""
    cv2 = load_cv2()
    mask: Mask = trusted.astype(np.float32)
    return np.asarray(np.minimum(mask, cv2.GaussianBlur(mask, (0, 0), SOFT)), np.float32)


def _linear(field: Flow, flow: Flow) -> Flow:
    """`field` at the ends of `flow`."""
    cv2 = load_cv2()
    x, y = _ends(flow)
    found: Flow = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found


def _ends(flow: Flow) -> tuple[Plane, Plane]:
    """The columns and the rows, in pixels, where `flow` ends."""
    height, width, _ = flow.shape
    rows, columns = np.indices((height, width), dtype=np.float32)
    return columns + flow[..., 0], rows + flow[..., 1]


def _square(field: Flow) -> Plane:
    return np.asarray(np.square(field).sum(2), np.float32)
