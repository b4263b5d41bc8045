"""Between the YUV of films and RGB, by Recommendation ITU-T H.273, 8.3.

In floats and with the matrix of each film: libswscale's own conversion is up to a level off.
libswscale does what it is exact at, the resolution of the colour planes.
"""

from __future__ import annotations

import numpy as np
from av import VideoFrame
from av.video.format import VideoFormat
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from nstd.images.model import Array

BT709, UNSPECIFIED = 1, 2
LIMITED, FULL = ColorRange.MPEG, ColorRange.JPEG
_WEIGHTS = {
    BT709: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
"""The shares of red and blue in luma, by the code points of matrices (H.273, table 4)."""
_STANDARD_WIDTH, _STANDARD_HEIGHT = 1024, 576
"""The largest film that is taken for one of standard definition, BT.601, if it does not say."""
_HOW = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
    | Interpolation.BITEXACT
)
_KEPT = 5
"""What libswscale calls the matrix of BT.601: the same on both sides, so that it changes none."""


def is_yuv(format: VideoFormat) -> bool:
    """Whether frames of this pixel format have luma and colour differences."""
    return not format.is_rgb and any(part.is_chroma for part in format.components)


def has_alpha(format: VideoFormat) -> bool:
    """Whether frames of this pixel format have transparency; that of a palette is not used."""
    return not format.has_palette and any(part.is_alpha for part in format.components)


def to_rgb(frame: VideoFrame, reformatter: VideoReformatter) -> tuple[Array, Array | None]:
    """(height, width, 3) RGB float32 in [0, 1] and alpha, in the film's own colour space."""
    alpha = has_alpha(frame.format)
    if is_yuv(frame.format):
        floats = _reformatted(frame, reformatter, "yuva444p16le" if alpha else "yuv444p16le")
        floats[:, :, :3] = _of_yuv(floats[:, :, :3], frame)
        floats[:, :, 3:] /= 65535
    elif max(part.bits for part in frame.format.components) > 8:
        floats = _reformatted(frame, reformatter, "rgba64le" if alpha else "rgb48le") / np.float32(
            65535
        )
    else:
        floats = _reformatted(frame, reformatter, "rgba" if alpha else "rgb24") / np.float32(255)
    if frame.format.name.startswith("gray") and frame.color_range == LIMITED:
        floats = np.clip((floats * np.float32(255) - 16) / 219, 0, 1)
    cover = floats[:, :, 3].copy() if alpha else None
    return np.ascontiguousarray(floats[:, :, :3]), cover


def to_yuv(pixels: Array, alpha: Array | None) -> VideoFrame:
    """A frame in 4:2:0 of BT.709, limited range, of sRGB pixels with even sides."""
    red, blue = _WEIGHTS[BT709]
    values = np.empty((*pixels.shape[:2], 3 if alpha is None else 4), np.uint16)
    luma = pixels @ np.array([red, 1 - red - blue, blue], np.float32)
    values[:, :, 0] = np.rint((luma * 219 + 16) * 256)
    for at, (channel, share) in enumerate(((2, blue), (0, red)), 1):
        difference = (pixels[:, :, channel] - luma) / (2 * (1 - share))
        values[:, :, at] = np.rint((difference * 224 + 128) * 256)
    if alpha is not None:
        values[:, :, 3] = np.rint(alpha * 65535)
    full = "yuv444p16le" if alpha is None else "yuva444p16le"
    frame = VideoFrame.from_ndarray(values, full, channel_last=True)
    frame = _resampled(frame, VideoReformatter(), full.replace("444p16le", "420p"), LIMITED)
    frame.colorspace = frame.color_primaries = frame.color_trc = BT709
    frame.color_range = LIMITED
    return frame


def _of_yuv(values: Array, frame: VideoFrame) -> Array:
    """RGB of (height, width, 3) values of Y, Cb and Cr with 16 bits."""
    bits = frame.format.components[0].bits
    steps = (2**bits - 1) << (16 - bits) if _range(frame) == FULL else 0
    black, luma, chroma = (0, steps, steps) if steps else (16 * 256, 219 * 256, 224 * 256)
    red, blue = _WEIGHTS[_matrix(frame)]
    green = 1 - red - blue
    from_cb, from_cr = 2 * (1 - blue), 2 * (1 - red)
    matrix = np.array(
        [
            [1 / luma, 0, from_cr / chroma],
            [1 / luma, -blue / green * from_cb / chroma, -red / green * from_cr / chroma],
            [1 / luma, from_cb / chroma, 0],
        ],
        np.float32,
    )
    values -= np.array([black, 1 << 15, 1 << 15], np.float32)
    made: Array = values @ matrix.T
    return np.clip(made, 0, 1, out=made)


def _range(frame: VideoFrame) -> ColorRange:
    """The range of the values; where the frame does not say, that of its format."""
    if frame.color_range in (LIMITED, FULL):
        return ColorRange(frame.color_range)
    return FULL if frame.format.name.startswith("yuvj") else LIMITED


def _matrix(frame: VideoFrame) -> int:
    """The code point of the matrix; where it is not known, the usual one for the size."""
    if frame.colorspace in _WEIGHTS:
        return frame.colorspace
    small = frame.width <= _STANDARD_WIDTH and frame.height <= _STANDARD_HEIGHT
    return 5 if small else BT709


def _reformatted(frame: VideoFrame, reformatter: VideoReformatter, format: str) -> Array:
    """(height, width, channels) as floats; the values of YUV stay, shifted to 16 bits."""
    kept = _range(frame) if is_yuv(frame.format) else None
    made = _resampled(frame, reformatter, format, kept).to_ndarray(channel_last=True)
    return made.astype(np.float32)


def _resampled(
    frame: VideoFrame, reformatter: VideoReformatter, format: str, kept: ColorRange | None
) -> VideoFrame:
    return reformatter.reformat(
        frame,
        format=format,
        src_colorspace=None if kept is None else _KEPT,
        dst_colorspace=None if kept is None else _KEPT,
        src_color_range=kept,
        dst_color_range=kept,
        interpolation=_HOW,
        threads=1,
    )
