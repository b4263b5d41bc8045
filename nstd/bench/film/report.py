"""The figures of scenes as a table, and their frames as pictures for the eye."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from rich import box
from rich.console import Console
from rich.table import Table

from nstd.backends.registry import load
from nstd.bench.film.measure import FilmMaker, MadeScene, figures
from nstd.bench.film.scenes import SEEN, scenes
from nstd.bench.seen import load_seen
from nstd.documents.settings import LimitSettings
from nstd.system.disk_cache import DiskCache
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Pixels

CACHE = 1 << 30  # bytes, as a worker has one
SHOWN = 6  # frames on a contact sheet
STRETCHED = 6  # pixels of a strip for one frame
COLUMNS = ("warp error", "style loss", "CPU seconds", "evaluations")


def measure_films(
    pictures: Sequence[Path],
    style: Path,
    options: Mapping[str, Any],
    weights: Path,
    size: int,
    frames: int,
    only: Sequence[str],
    out: Path,
    show_step: Callable[[str], None],
) -> list[dict[str, Any]]:
    """Measure the scenes over two pictures whose names contain one of `only`, if that says any.

    The folder `out` gets a contact sheet and a strip of each.
    """
    backend = load("gatys")
    cache = DiskCache(out / "cache", CACHE, Files())
    maker = FilmMaker(backend, backend.Options(**options), _loaded(style, size), weights, cache)
    one, other = (_loaded(path, round(size / SEEN)) for path in (pictures[0], pictures[-1]))
    out.mkdir(parents=True, exist_ok=True)
    found = []
    for scene in scenes(one, other, size, frames):
        if not only or any(word in scene.name for word in only):
            made = maker.make(scene, show_step)
            found.append(figures(made))
            name = scene.name.replace(", ", "-").replace(" ", "-")
            _image(contact_sheet(made)).save(out / f"{name}.png")
            _image(strip(made)).save(out / f"{name}-strip.png")
    shutil.rmtree(out / "cache", ignore_errors=True)
    return found


def print_films(found: Sequence[Mapping[str, Any]]) -> None:
    """Print the table: each cell has the film's figure and that of frames made for themselves."""
    table = Table("scene", *COLUMNS, "cuts", box=box.SIMPLE)
    for one in found:
        pairs = (one[name] for name in ("warp_error", "style_loss", "seconds", "evaluations"))
        cuts = ", ".join(str(number + 1) for number in one["cuts"]) or "-"
        table.add_row(one["scene"], *(_pair(**pair) for pair in pairs), cuts)
    Console().print(table)


def _pair(film: float, alone: float) -> str:
    return f"{film:.3g} / {alone:.3g} ({film / alone:.0%})"


def contact_sheet(made: MadeScene) -> Pixels:
    """Some frames of the scene, below them those of the film, and the last ones made alone."""
    count = made.scene.count
    numbers = sorted({round(i * (count - 1) / (SHOWN - 1)) for i in range(SHOWN)})
    rows = [
        [made.scene.frames[number] for number in numbers],
        [made.film[number].pixels for number in numbers],
        [frame.pixels for frame in made.alone.values()],
    ]
    height, width, _ = made.scene.frames[0].shape
    sheet = np.zeros((height * len(rows), width * len(numbers), 3), np.float32)
    for row, pictures in enumerate(rows):
        for column, pixels in enumerate(pictures):
            place = (
                slice(row * height, (row + 1) * height),
                slice(column * width, (column + 1) * width),
            )
            sheet[place] = pixels
    return sheet


def strip(made: MadeScene) -> Pixels:
    """The middle row over time, downwards: of the scene, of the film, and of the frames alone.

    What stays or moves evenly is a smooth streak; what flickers is broken.
    """
    parts = (
        made.scene.frames,
        [frame.pixels for frame in made.film],
        [frame.pixels for frame in made.alone.values()],
    )
    rows = [np.stack([pixels[len(pixels) // 2] for pixels in part]) for part in parts]
    return np.concatenate([np.repeat(part, STRETCHED, axis=0) for part in rows])


def _loaded(path: Path, side: int) -> Pixels:
    """A picture with its longest side at most `side` pixels."""
    image = load_seen(path, LimitSettings())
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / np.float32(255)


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
