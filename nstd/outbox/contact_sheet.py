"""Draws the contact sheet of a batch: its results in rows and columns, along its axes.

Run by the daemon as `python -m nstd.outbox.contact_sheet BATCH OUTBOX SHEET PIXELS BYTES`; the
daemon makes the file durable. No side of a sheet is longer than `LONGEST` pixels.
"""

from __future__ import annotations

import itertools
import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from nstd.errors import PictureError, printable, shortened
from nstd.images.alpha import over_white
from nstd.images.decode import load_image
from nstd.queue.batch import Batch, BatchPaths, Member
from nstd.system.child import die_with_parent

LONGEST = 4096
CELL = 384
"""The side of a cell in pixels, unless the sheet would be too large."""
_GAP, _TEXT, _LINE = 12, 14, 18
_WIDEST_HEADING, _NARROWEST = 240, 120
_SQUARE = 4
"""When the numbers of rows and columns differ by a larger factor, the cells flow in lines."""
_PAPER, _INK, _EMPTY, _RED = (250, 250, 250), (20, 20, 20), (228, 228, 228), (170, 30, 30)

Load = Callable[[Member, int], Image.Image | str]
"""From a member and a size in pixels to its picture, with no longer side, or why there is none."""


@dataclass(frozen=True)
class Layout:
    """The numbers of rows and columns, and the texts beside, above and below them.

    A heading has one line for each axis, so that a long value does not hide the others.
    """

    rows: int
    columns: int
    row_heads: tuple[str, ...] = ()
    column_heads: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()

    @property
    def top(self) -> int:
        """The height of the space above the cells, in pixels."""
        lines = max((head.count("\n") + 1 for head in self.column_heads), default=0)
        return _GAP + 2 * _LINE + (lines * _LINE + 4 if lines else 0)

    def left(self, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> int:
        """The width of the space beside the cells, in pixels."""
        lines = itertools.chain.from_iterable(head.splitlines() for head in self.row_heads)
        longest = max(map(font.getlength, lines), default=0)
        return _GAP + (min(math.ceil(longest), _WIDEST_HEADING) + _GAP if longest else 0)

    @property
    def below(self) -> int:
        """The height of the space below each cell, in pixels."""
        return _GAP + (_LINE if self.captions else 0)

    def cell(self, left: int) -> int:
        """The side of a cell in pixels, so that the sheet is not too large."""
        wide = (LONGEST - left) // self.columns - _GAP
        high = (LONGEST - self.top - _GAP) // self.rows - self.below
        return max(1, min(CELL, wide, high))


def arrange(batch: Batch) -> Layout:
    """A table with the axes at its sides, as square as possible; one long axis flows in lines."""
    axes = [[_head(key, value) for value in values] for key, values in batch.axes.items()]
    counts = [len(values) for values in axes]
    splits = [(math.prod(counts[:at]), math.prod(counts[at:]), at) for at in range(len(counts) + 1)]
    rows, columns, at = min(splits, key=lambda split: (abs(math.log(split[0] / split[1])), split))
    if max(rows, columns) > _SQUARE * min(rows, columns):
        columns = math.ceil(math.sqrt(len(batch.members)))
        captions = tuple(_clean(member.name) for member in batch.members)
        return Layout(math.ceil(len(batch.members) / columns), columns, captions=captions)
    return Layout(rows, columns, _products(axes[:at]), _products(axes[at:]))


def draw(batch: Batch, load: Load) -> Image.Image:
    """The sheet, in RGB. A member that has failed is an empty cell with its error code."""
    font = ImageFont.load_default(_TEXT)
    layout = arrange(batch)
    left = layout.left(font)
    side = layout.cell(left)
    cells = [load(member, side) for member in batch.members]
    xs, ys = _edges(layout, cells, side, left)
    sheet = Image.new("RGB", (xs[-1], ys[-1] + _GAP), _PAPER)
    pen = _Pen(ImageDraw.Draw(sheet), font)
    pen.write(_title(batch), (_GAP, _GAP), xs[-1] - 2 * _GAP)
    for head, x, end in zip(layout.column_heads, xs, xs[1:], strict=False):
        pen.write(head, (x, _GAP + 2 * _LINE), end - x - _GAP)
    for head, y, end in zip(layout.row_heads, ys, ys[1:], strict=False):
        high = _LINE * (head.count("\n") + 1)
        pen.write(head, (_GAP, (y + end - layout.below - high) // 2), left - 2 * _GAP)
    for number, cell in enumerate(cells):
        row, column = divmod(number, layout.columns)
        box = (xs[column], ys[row], xs[column + 1] - _GAP, ys[row + 1] - layout.below)
        _put(sheet, pen, cell, box)
        if layout.captions:
            pen.write(layout.captions[number], (box[0], box[3] + 2), box[2] - box[0])
    return sheet


def _edges(
    layout: Layout, cells: Sequence[Image.Image | str], side: int, left: int
) -> tuple[list[int], list[int]]:
    """The edges of columns and rows in pixels; each is as large as its largest picture."""
    sizes = [None if isinstance(cell, str) else cell.size for cell in cells]
    usual = [max(length) for length in zip(*filter(None, sizes), strict=True)] or [side, side // 2]
    widths, heights = [0] * layout.columns, [0] * layout.rows
    for number, size in enumerate(sizes):
        row, column = divmod(number, layout.columns)
        if size is not None:
            widths[column] = max(widths[column], size[0], min(side, _NARROWEST))
            heights[row] = max(heights[row], size[1])
    widths = [width or usual[0] for width in widths]
    heights = [height or usual[1] for height in heights]
    xs = itertools.accumulate((width + _GAP for width in widths), initial=left)
    ys = itertools.accumulate((height + layout.below for height in heights), initial=layout.top)
    return list(xs), list(ys)


class _Pen:
    """Writes lines of text below each other, each cut off where there is no room."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
    ) -> None:
        self.draw, self._font = draw, font

    def write(
        self, text: str, place: tuple[int, int], width: int, ink: tuple[int, int, int] = _INK
    ) -> None:
        x, y = place
        for number, line in enumerate(text.splitlines()):
            self.draw.text((x, y + number * _LINE), self._fit(line, width), ink, self._font)

    def fits(self, text: str, width: int) -> bool:
        return self._font.getlength(text) <= width

    def _fit(self, text: str, width: int) -> str:
        """`text` shortened to `width`: before its last word, the value of an option, if that
        fits."""
        if self.fits(text, width):
            return text
        *_, last = text.split(" ")
        end = f"... {last}" if self.fits(f"mmm... {last}", width) and last != text else "..."
        while text and not self.fits(text + end, width):
            text = text[:-1]
        return text + end if text else ""


def _put(
    sheet: Image.Image, pen: _Pen, cell: Image.Image | str, box: tuple[int, int, int, int]
) -> None:
    """Draw a picture in the middle of its cell, or the text that says why there is none."""
    left, top, right, bottom = box
    if isinstance(cell, str):
        pen.draw.rectangle((left, top, right - 1, bottom - 1), _EMPTY)
        width, said = right - left - _GAP, cell.replace("_", " ")
        said = said if pen.fits(said, width) else said.replace(" ", "\n")
        high = _LINE * (said.count("\n") + 1)
        pen.write(said, (left + _GAP // 2, (top + bottom - high) // 2), width, _RED)
    else:
        place = (left + right - cell.width) // 2, (top + bottom - cell.height) // 2
        sheet.paste(cell, place)


def _title(batch: Batch) -> str:
    made = batch.count("finished")
    axes = ", ".join(axis.removeprefix("options.") for axis in batch.axes)
    return _clean(f"{batch.name}: {made} of {len(batch.members)}, by {axes}")


def _products(axes: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """The heading of each row or column: the values of its axes."""
    heads = [""]
    for values in axes:
        heads = [f"{head}\n{value}".strip() for head in heads for value in values]
    return tuple(heads) if axes else ()


def _head(key: str, value: object) -> str:
    """One value of an axis; the value of an option with its name."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return _clean(f"{key.removeprefix('options.')} {text}" if key.startswith("options.") else text)


def _clean(text: str) -> str:
    """What every font takes: one line, and no halves of characters."""
    return shortened(printable(text).encode("utf-8", "replace").decode(), 300)


def make_loader(outbox: Path, max_pixels: int, max_bytes: int) -> Load:
    """A function that reads the pictures of members from the outbox."""

    def load(member: Member, side: int) -> Image.Image | str:
        end = member.end
        if end is None or end.state == "failed":
            return end.code if end else "lost"
        path = outbox / end.output / end.picture
        try:
            picture = load_image(path, max_pixels=max_pixels, max_bytes=max_bytes, max_side=side)
        except (PictureError, OSError):  # somebody may have removed it
            return "no picture"
        pixels = picture.pixels
        seen = pixels if picture.alpha is None else over_white(pixels, picture.alpha)
        return Image.fromarray((seen * 255 + 0.5).astype(np.uint8))

    return load


def main(arguments: Sequence[str]) -> None:
    """Draw the sheet of one batch; the process ends with the daemon."""
    die_with_parent()
    os.nice(10)
    folder, outbox, target, max_pixels, max_bytes = arguments
    load = make_loader(Path(outbox), int(max_pixels), int(max_bytes))
    draw(BatchPaths(Path(folder)).read(), load).save(target, "png")


if __name__ == "__main__":
    main(sys.argv[1:])
