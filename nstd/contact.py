"""Draws the contact sheet of a batch: its results in rows and columns, as its axes have them.

Run as `python -m nstd.contact BATCH OUTBOX SHEET PIXELS BYTES`, beside the daemon, which makes the
file durable. Whatever a sheet holds, no side of it is longer than `LONGEST`.
"""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nstd.batch import Batch, BatchPaths, Member
from nstd.errors import PictureError, printable
from nstd.images import load_image, over_white

LONGEST = 4096
CELL = 384
"""Pixels of the sides of a cell, where there is room."""
_GAP, _TEXT, _LINE = 12, 14, 18
_WIDEST_HEADING = 240
_SQUARE = 4
"""Rows and columns that differ by more than this factor are no table, but a flow."""
_PAPER, _INK, _EMPTY, _RED = (250, 250, 250), (20, 20, 20), (228, 228, 228), (170, 30, 30)
_PR_SET_PDEATHSIG = 1

Load = Callable[[Member, int], Image.Image | str]
"""The picture of a member, its longest side at most so many pixels, or why there is none."""


@dataclass(frozen=True)
class Layout:
    """How many rows and columns there are, and what is written beside, above and below them."""

    rows: int
    columns: int
    row_heads: tuple[str, ...] = ()
    column_heads: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """Pixels above the cells."""
        return _GAP + 2 * _LINE + (_LINE if self.column_heads else 0)

    def left(self, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
        """Pixels beside the cells."""
        longest = max((font.getlength(head) for head in self.row_heads), default=0)
        return _GAP + (min(math.ceil(longest), _WIDEST_HEADING) + _GAP if longest else 0)

    @property
    def below(self) -> int:
        """Pixels below each cell."""
        return _GAP + (_LINE if self.captions else 0)

    def cell(self, left: int) -> int:
        """The sides of a cell, so that the whole is not too large."""
        wide = (LONGEST - left) // self.columns - _GAP
        high = (LONGEST - self.top - _GAP) // self.rows - self.below
        return max(1, min(CELL, wide, high))


def arrange(batch: Batch) -> Layout:
    """A table with the axes at its sides, as square as can be; one long axis flows in lines."""
    axes = [[_clean(_tell(value)) for value in values] for values in batch.axes.values()]
    counts = [len(values) for values in axes]
    splits = [(math.prod(counts[:at]), math.prod(counts[at:]), at) for at in range(len(counts) + 1)]
    rows, columns, at = min(splits, key=lambda split: (abs(math.log(split[0] / split[1])), split))
    if max(rows, columns) > _SQUARE * min(rows, columns):
        columns = math.ceil(math.sqrt(len(batch.members)))
        captions = tuple(_clean(member.name) for member in batch.members)
        return Layout(math.ceil(len(batch.members) / columns), columns, captions=captions)
    return Layout(rows, columns, _products(axes[:at]), _products(axes[at:]))


def draw(batch: Batch, load: Load) -> Image.Image:
    """The sheet, RGB. Members that have failed are empty cells with their code."""
    font = ImageFont.load_default(_TEXT)
    layout = arrange(batch)
    left = layout.left(font)
    side = layout.cell(left)
    width = left + layout.columns * (side + _GAP)
    height = layout.top + layout.rows * (side + layout.below) + _GAP
    sheet = Image.new("RGB", (min(width, LONGEST), min(height, LONGEST)), _PAPER)
    pen = _Pen(ImageDraw.Draw(sheet), font)
    pen.write(_title(batch), (_GAP, _GAP), width - 2 * _GAP)
    for column, head in enumerate(layout.column_heads):
        pen.write(head, (left + column * (side + _GAP), layout.top - _LINE), side)
    for row, head in enumerate(layout.row_heads):
        y = layout.top + row * (side + layout.below) + side // 2 - _LINE // 2
        pen.write(head, (_GAP, y), left - 2 * _GAP)
    for number, member in enumerate(batch.members):
        row, column = divmod(number, layout.columns)
        x, y = left + column * (side + _GAP), layout.top + row * (side + layout.below)
        _put(sheet, pen, load(member, side), (x, y), side)
        if layout.captions:
            pen.write(layout.captions[number], (x, y + side + 2), side)
    return sheet


class _Pen:
    """Writes one line at a time, cut off where there is no room."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    ) -> None:
        self.draw, self._font = draw, font

    def write(
        self, text: str, place: tuple[int, int], width: int, ink: tuple[int, int, int] = _INK
    ) -> None:
        self.draw.text(place, self._fit(text, width), ink, self._font)

    def _fit(self, text: str, width: int) -> str:
        if self._font.getlength(text) <= width:
            return text
        while text and self._font.getlength(text + "...") > width:
            text = text[:-1]
        return text + "..." if text else ""


def _put(
    sheet: Image.Image, pen: _Pen, picture: Image.Image | str, place: tuple[int, int], side: int
) -> None:
    x, y = place
    if isinstance(picture, str):
        pen.draw.rectangle((x, y, x + side - 1, y + side - 1), _EMPTY)
        pen.write(picture, (x + 6, y + side // 2 - _LINE // 2), side - 12, _RED)
    else:
        sheet.paste(picture, (x + (side - picture.width) // 2, y + (side - picture.height) // 2))


def _title(batch: Batch) -> str:
    made, axes = batch.count("finished"), ", ".join(batch.axes)
    return _clean(f"{batch.name}: {made} of {len(batch.members)}, by {axes}")


def _products(axes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What is said of each row or column: the values of its axes."""
    heads = [""]
    for values in axes:
        heads = [f"{head}  {value}".strip() for head in heads for value in values]
    return tuple(heads) if axes else ()


def _tell(value: object) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _clean(text: str) -> str:
    """What every font takes: one line, and no halves of characters."""
    return printable(text).encode("utf-8", "replace").decode()[:300]


def make_loader(outbox: Path, max_pixels: int, max_bytes: int) -> Load:
    """What reads the pictures of members from the outbox."""

    def load(member: Member, side: int) -> Image.Image | str:
        end = member.end
        if end is None or end.state == "failed":
            return end.code if end else "lost"
        path = outbox / end.output / end.picture
        try:
            picture = load_image(path, max_pixels=max_pixels, max_bytes=max_bytes, max_side=side)
        except (PictureError, OSError):  # a person may have taken it already
            return "no picture"
        pixels = picture.pixels
        seen = pixels if picture.alpha is None else over_white(pixels, picture.alpha)
        return Image.fromarray((seen * 255 + 0.5).astype(np.uint8))

    return load


def main(arguments: Sequence[str]) -> None:
    """Draw the sheet of one batch, and die with the daemon."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.nice(10)
    folder, outbox, target, max_pixels, max_bytes = arguments
    load = make_loader(Path(outbox), int(max_pixels), int(max_bytes))
    draw(BatchPaths(Path(folder)).read(), load).save(target, "png")


if __name__ == "__main__":
    main(sys.argv[1:])
