"""Draws a sheet of pictures in rows and columns, with headings and captions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

GAP = 12
TEXT = 14
LINE = 18
_PAPER, _INK, _FAINT = (250, 250, 250), (20, 20, 20), (225, 225, 225)


@dataclass(frozen=True)
class SheetTile:
    """A picture, or an empty place, with the lines under it."""

    image: Image.Image | None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A row of tiles under its title."""

    title: str
    tiles: Sequence[SheetTile]


def draw_grid(headings: Sequence[str], rows: Sequence[Row], side: int) -> Image.Image:
    """The sheet, RGB: a column of `side` pixels for each heading, tiles at their upper left.

    Column c begins at x = GAP + c (side + GAP). A row is as high as its highest tile; long text is
    continued on the next line.
    """
    font = ImageFont.load_default(TEXT)
    top = [wrap(heading, font, side) for heading in headings]
    rows = [Row(row.title, [_wrapped(tile, font, side) for tile in row.tiles]) for row in rows]
    width = GAP + len(headings) * (side + GAP)
    head = GAP + LINE * max(map(len, top), default=0)
    sheet = Image.new("RGB", (width, head + sum(map(_height, rows)) + GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, lines in enumerate(top):
        _write(draw, lines, GAP + column * (side + GAP), GAP, font)
    y = head
    for row in rows:
        draw.line((GAP, y + GAP // 2, width - GAP, y + GAP // 2), _FAINT)
        _write(draw, [row.title], GAP, y + GAP, font)
        for column, tile in enumerate(row.tiles):
            x = GAP + column * (side + GAP)
            _draw_tile(sheet, draw, tile, (x, y + GAP + LINE + GAP // 2), font)
        y += _height(row)
    return sheet


def wrap(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> list[str]:
    """`text` in lines of at most `width` pixels, broken at spaces and commas where there are."""
    lines = [""]
    for piece in _pieces(text):
        if font.getlength(lines[-1] + piece.rstrip()) <= width:
            lines[-1] += piece
            continue
        if lines[-1]:
            lines.append("")
        for char in piece:
            if font.getlength(lines[-1] + char) > width:
                lines.append("")
            lines[-1] += char
    return [line.rstrip() for line in lines]


def _pieces(text: str) -> Iterator[str]:
    """`text` cut after each space and comma."""
    begin = 0
    for end, char in enumerate(text, start=1):
        if char in " ,":
            yield text[begin:end]
            begin = end
    yield text[begin:]


def _wrapped(
    tile: SheetTile, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, side: int
) -> SheetTile:
    lines = [part for line in tile.lines for part in wrap(line, font, side)]
    return SheetTile(tile.image, tuple(lines))


def _height(row: Row) -> int:
    tiles = (
        (tile.image.height + GAP // 2 if tile.image else 0) + LINE * len(tile.lines)
        for tile in row.tiles
    )
    return GAP + LINE + GAP // 2 + max(tiles, default=0)


def _draw_tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    tile: SheetTile,
    place: tuple[int, int],
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    x, y = place
    if tile.image is not None:
        sheet.paste(tile.image, (x, y))
        y += tile.image.height + GAP // 2
    _write(draw, tile.lines, x, y, font)


def _write(
    draw: ImageDraw.ImageDraw,
    lines: Sequence[str],
    x: int,
    y: int,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    for number, line in enumerate(lines):
        draw.text((x, y + number * LINE), line, _INK, font)
