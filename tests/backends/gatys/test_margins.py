"""Margins of style pictures are found and cut off, and paint never is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.disk import names_in
from support.gatys import interrupted, narrow, painting, photograph, plain, run, task

from nstd.backend import Style
from nstd.backends.gatys.margins import Margins, margins_of, without_margins
from nstd.system.disk_cache import DiskCache
from nstd.system.durable import Files

if TYPE_CHECKING:
    from nstd.backend import Pixels

PAPER = (0.96, 0.95, 0.9)
NONE = Margins()


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow(monkeypatch)


def framed(inner: Pixels, margins: Margins, colour: tuple[float, ...] = PAPER) -> Pixels:
    """`inner` with such margins around it, grainy as a scan is."""
    top, bottom, left, right = margins
    height, width = inner.shape[:2]
    scan = plain(top + height + bottom, left + width + right, *colour)
    scan += np.random.default_rng(1).normal(0, 0.01, scan.shape).astype(np.float32)
    scan[top : top + height, left : left + width] = inner
    return scan.clip(0, 1)


def worn(height: int, width: int, deep: int, colour: tuple[float, ...] = PAPER) -> Pixels:
    """Strokes that end raggedly, in up to `deep` pixels of bare canvas on the left."""
    scan = painting(height, width)
    bare = np.random.default_rng(2).integers(0, deep + 1, height)
    scan[np.arange(width) < bare[:, None]] = colour
    return scan


def ramp(height: int, width: int) -> Pixels:
    """From black to white, as evening light."""
    grey = np.linspace(0, 1, width, dtype=np.float32)
    return np.broadcast_to(grey[:, None], (height, width, 3)).copy()


def vignette(height: int, width: int) -> Pixels:
    """Strokes that darken towards the corners, as in an old photograph."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shade = 1 - 0.45 * (x**2 + y**2)
    return np.asarray(painting(height, width) * shade[..., None], np.float32)


def disc(height: int, width: int) -> Pixels:
    """A flat drawing: one red shape on white."""
    y, x = np.mgrid[0:height, 0:width]
    inside = np.hypot(y - height / 2, x - width / 2) < 0.42 * min(height, width)
    return np.where(inside[..., None], plain(1, 1, 0.8, 0.1, 0.1), 1).astype(np.float32)


def stripes(height: int, width: int, wide: int) -> Pixels:
    """White and blue ones, of which the first is narrower."""
    which = (np.arange(width) + wide // 2) // wide % 2 == 0
    colours = np.where(which[:, None], 1, np.array([0.1, 0.2, 0.7]))
    return np.broadcast_to(colours, (height, width, 3)).astype(np.float32)


def page(height: int, width: int) -> Pixels:
    """Lines of black marks on paper."""
    rng = np.random.default_rng(3)
    ink = (np.arange(height) % 24 >= 10)[:, None] & (rng.random((height, width // 4)) < 0.6).repeat(
        4, axis=1
    )
    ink[:, : width // 20] = False
    return np.where(ink[..., None], 0.05, 0.95).astype(np.float32)


def banner(height: int, width: int, share: float) -> Pixels:
    """A white sky above a field of strokes."""
    scene = painting(height, width)
    scene[: round(share * height)] = 1
    return scene


FRAMES = {
    "all around": Margins(20, 24, 18, 16),
    "hairline": Margins(1, 1, 1, 1),
    "left of a book": Margins(0, 0, 9, 0),
    "letterbox": Margins(30, 30, 0, 0),
    "two sides": Margins(6, 0, 5, 0),
}


@pytest.mark.parametrize("colour", [PAPER, (1, 1, 1), (0.02, 0.02, 0.03)])
@pytest.mark.parametrize("frame", FRAMES)
def test_a_strip_of_paper_or_black_is_found(frame: str, colour: tuple[float, ...]) -> None:
    """To the pixel, or a few more where paint begins."""
    scan = framed(painting(256, 320), FRAMES[frame], colour)
    for found, drawn in zip(margins_of(scan), FRAMES[frame], strict=True):
        assert drawn <= found <= (drawn + 2 if drawn else 0)


@pytest.mark.parametrize("colour", [PAPER, (0.1, 0.2, 0.1)])
@pytest.mark.parametrize("deep", [2, 4, 7])
def test_a_worn_edge_is_found_on_its_side_alone(deep: int, colour: tuple[float, ...]) -> None:
    """Bare canvas has any colour."""
    found = margins_of(worn(300, 400, deep, colour))
    assert found == Margins(left=found.left)
    assert deep <= found.left <= deep + 3


def test_a_scan_that_lies_askew_is_cut_to_its_paint() -> None:
    """By a degree: paper at one end of a side is 8 pixels wider than at the other."""
    scan = painting(400, 400)
    paper = np.linspace(4, 12, 400)[:, None]
    scan[np.arange(400) < paper] = PAPER
    found = margins_of(scan)
    assert found == Margins(left=found.left)
    assert 11 <= found.left <= 14


def test_margins_grow_with_the_scan() -> None:
    """They are told in pixels of the picture that was given."""
    small = margins_of(framed(painting(256, 320), Margins(10, 10, 10, 10)))
    scan = framed(painting(256, 320), Margins(10, 10, 10, 10))
    large = margins_of(scan.repeat(4, axis=0).repeat(4, axis=1))
    for one, four in zip(small, large, strict=True):
        assert 40 <= four <= 4 * one + 8


PAINT = {
    "strokes": painting(256, 320),
    "hills": photograph(256, 320),
    "ramp": ramp(256, 320),
    "vignette": vignette(256, 320),
    "plain": plain(256, 256, 0.2, 0.6, 0.4),
    "white": plain(256, 256, 1),
    "black": plain(256, 256, 0),
    "disc": disc(320, 320),
    "thin stripes": stripes(256, 320, 6),
    "wide stripes": stripes(256, 320, 20),
    "tiles": np.kron(np.indices((8, 8)).sum(0) % 2, np.ones((32, 32)))[..., None].repeat(3, 2),
    "page": page(384, 288),
    "white sky": banner(256, 320, 0.09),
    "noise": np.random.default_rng(4).random((256, 256, 3)),
    "red border": framed(painting(256, 320), Margins(20, 20, 20, 20), (0.7, 0.1, 0.1)),
    "passe-partout": framed(painting(200, 200), Margins(90, 90, 90, 90)),
    "small": framed(painting(60, 60), Margins(4, 4, 4, 4)),
    "panorama": framed(painting(150, 1400), Margins(4, 4, 4, 4)),
}


@pytest.mark.parametrize("name", PAINT)
def test_paint_is_no_margin(name: str) -> None:
    """Nor is anything that may be meant: in doubt, the style is what was given."""
    assert margins_of(PAINT[name].astype(np.float32)) == NONE


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_every_side_is_looked_at_alike(turns: int) -> None:
    """A scan that is turned has the same margins on other sides."""
    scan = framed(painting(256, 256), Margins(8, 0, 0, 0))
    found = margins_of(np.rot90(scan, turns))
    side = ("top", "left", "bottom", "right")[turns]
    assert found == Margins(**{side: margins_of(scan).top})


def test_the_result_is_that_of_the_style_without_its_margins() -> None:
    """To the last bit, and a note says what was cut off."""
    scan = framed(painting(150, 150), Margins(0, 5, 5, 0))
    bottom, left = margins_of(scan).bottom, margins_of(scan).left
    result, seen = run(task(None, Style(scan)))
    cut, silent = run(task(None, Style(scan[:-bottom, left:])))
    assert np.array_equal(result.pixels, cut.pixels)
    notes = [progress.note for progress in seen if progress.note]
    told = f"margins cut off the style, in pixels of 155 x 155: bottom {bottom}, left {left}"
    assert notes == [f"{told} (a white mask would keep them)"]
    assert not any(progress.note for progress in silent)


def test_the_note_numbers_the_styles_of_a_mix() -> None:
    """It says whose margins they are."""
    scan = framed(painting(150, 150), Margins(0, 0, 5, 0))
    _, note = without_margins(task(None, Style(painting(150, 150)), Style(scan)))
    assert f"off style 2, in pixels of 155 x 150: left {margins_of(scan).left} (" in note


def test_a_mask_says_already_what_counts() -> None:
    """Such a style is left as it is."""
    scan = framed(painting(150, 150), Margins(5, 5, 5, 5))
    given = task(None, Style(scan, mask=np.ones(scan.shape[:2], np.float32)))
    assert without_margins(given) == (given, "")


def test_what_is_remembered_of_a_style_is_that_of_its_inside(tmp_path: Path) -> None:
    """The cache holds nothing of the margins: the same entries serve the style without them."""
    scan = framed(painting(150, 150), Margins(0, 0, 5, 0))
    kept = []
    for pixels in (scan, margins_of(scan).cut(scan)):
        job = task(None, Style(pixels), network="fixed", steps=3)
        run(replace(job, cache=DiskCache(tmp_path, 1 << 30, Files())))
        kept.append(names_in(tmp_path))
    assert kept[0]
    assert kept[0] == kept[1]


def test_a_job_with_margins_resumes_from_its_checkpoint() -> None:
    """The picture is the same as of a job that ran through."""
    job = task(None, Style(framed(painting(150, 150), Margins(0, 0, 5, 0))))
    through, _ = run(job)
    resumed, seen = run(replace(job, state=interrupted(job, 6)))
    assert np.array_equal(resumed.pixels, through.pixels)
    assert next(progress.step for progress in seen if progress.step) > 1
