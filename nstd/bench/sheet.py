"""The two sheets of a comparison: whole pictures, and crops at 100 %."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from nstd.bench.comparison import Comparison, describe
from nstd.bench.crops import SIDE, Spot, find_spots
from nstd.bench.grid import Row, SheetTile, draw_grid
from nstd.bench.pairs import Pair
from nstd.bench.seen import load_seen
from nstd.documents.settings import LimitSettings
from nstd.errors import PictureError

_GIVEN = ("content", "style")


class Sheets:
    """Draws the sheets of a comparison; pictures are read with the limits `limits`."""

    def __init__(self, comparison: Comparison, limits: LimitSettings) -> None:
        self._comparison, self._limits = comparison, limits
        self._headings = [*_GIVEN, *(column.label for column in comparison.columns)]

    def contact_sheet(self, thumb: int) -> Image.Image:
        """A row for each pair; each picture is scaled to a longest side of `thumb` pixels."""
        rows = []
        for pair in self._comparison.pairs:
            lines = [(pair.content.name,), (pair.style.name,), *self._lines(pair)]
            pictures = [_scaled(self._load(path, thumb), thumb) for path in self._paths(pair)]
            tiles = (_tile(*each) for each in zip(pictures, lines, strict=True))
            rows.append(Row(pair.name, list(tiles)))
        return draw_grid(self._headings, rows, thumb)

    def crops(self) -> Image.Image:
        """Two rows for each pair: the spots of the content with the least and the most detail.

        The spots are the same in all pictures except the style, which has its own. Content and
        style are first scaled to the size of the results; results are not scaled.
        """
        rows = [row for pair in self._comparison.pairs for row in self._crop_rows(pair)]
        return draw_grid(self._headings, rows, SIDE)

    def _crop_rows(self, pair: Pair) -> Iterator[Row]:
        content, style, *results = self._paths(pair)
        made = [self._load(path) for path in results]
        side = max((max(image.size) for image in made if isinstance(image, Image.Image)), default=0)
        given = [self._load(path, side or 2 * SIDE) for path in (content, style)]
        spots = [
            find_spots(image) if isinstance(image, Image.Image) else (Spot(0.5, 0.5),) * 2
            for image in given
        ]
        for number, what in enumerate(("least detail", "most detail")):
            here = [spots[0][number], spots[1][number], *[spots[0][number]] * len(made)]
            tiles = [_cut(*each) for each in zip([*given, *made], here, strict=True)]
            yield Row(f"{pair.name}: {what}", tiles)

    def _paths(self, pair: Pair) -> list[Path | None]:
        """The content, the first style, and the picture of each column."""
        results = [self._comparison.cell(pair, column) for column in self._comparison.columns]
        return [pair.content, pair.style, *(cell.picture for cell in results)]

    def _lines(self, pair: Pair) -> Iterator[tuple[str, ...]]:
        for column in self._comparison.columns:
            cell = self._comparison.cell(pair, column)
            if cell.picture:
                yield tuple(describe(cell))
            elif cell.failed:
                yield cell.failed["code"], cell.failed["message"]
            else:
                yield ("no picture",)

    def _load(self, path: Path | None, side: int | None = None) -> Image.Image | str:
        """The picture with a longest side of at most `side` pixels, or why there is none."""
        if path is None:
            return ""
        try:
            return load_seen(path, self._limits, side)
        except PictureError as error:
            return error.message


def _scaled(picture: Image.Image | str, side: int) -> Image.Image | str:
    """The picture, enlarged if it is small, so that the pictures of a row can be compared."""
    if isinstance(picture, str) or max(picture.size) >= side:
        return picture
    scale = side / max(picture.size)
    width, height = (max(1, round(length * scale)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def _tile(picture: Image.Image | str, lines: tuple[str, ...]) -> SheetTile:
    if isinstance(picture, Image.Image):
        return SheetTile(picture, lines)
    return SheetTile(None, (picture, *lines) if picture else lines)


def _cut(picture: Image.Image | str, spot: Spot) -> SheetTile:
    if isinstance(picture, Image.Image):
        return SheetTile(spot.cut(picture))
    return SheetTile(None, (picture or "no picture",))
