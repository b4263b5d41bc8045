"""Draws a sheet of some frames of a film, each with its time."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nstd.images.model import Array

_COLUMNS, _GAP, _LINE = 4, 8, 20
_PAPER, _INK = (250, 250, 250), (20, 20, 20)


def draw_sheet(frames: Sequence[tuple[float, Array]]) -> bytes:
    """A PNG with the frames in rows of four; each is given with its time in seconds.

    The frames are (height, width, 3) sRGB in [0, 1], all of one size.
    """
    height, width, _ = frames[0][1].shape
    columns = min(_COLUMNS, len(frames))
    rows = math.ceil(len(frames) / columns)
    step, down = width + _GAP, height + _LINE + _GAP
    sheet = Image.new("RGB", (columns * step + _GAP, rows * down + _GAP), _PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for number, (time, pixels) in enumerate(frames):
        row, column = divmod(number, columns)
        x, y = _GAP + column * step, _GAP + row * down
        values = (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
        sheet.paste(Image.fromarray(values), (x, y))
        pen.text((x, y + height + 2), f"{time:.2f} s", _INK, font)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()
