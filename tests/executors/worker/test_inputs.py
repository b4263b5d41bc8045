"""The pictures of a job as its backend gets them: masks, a beginning and a series too."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.executors import ONE, make_config, make_job

from nstd.documents.model import Role
from nstd.errors import PictureError
from nstd.executors.contract import Assignment
from nstd.executors.worker.inputs import SERIES_SIDE, Decoded, Decoder, describe_pictures
from nstd.queue.job import Input, Job


class Bench:
    """A job folder with a content of 32x24 and a style, and what is added to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = make_job(folder, "beach", "fake")

    def change(self, **fields: object) -> None:
        self.job = self.job.model_copy(update=fields)

    def add(self, role: Role, image: Image.Image, style: int | None = None, number: int = 1) -> str:
        """One more picture; what the sidecar calls it."""
        file, source = f"{role}-{number}.png", f"my-{role}.png"
        image.save(self.folder / file)
        more = Input(role=role, style=style, source=source, file=file, sha256="", bytes=1)
        self.change(inputs=(*self.job.inputs, more))
        return source

    def decode(self) -> Decoded:
        config = make_config(self.folder.parent)
        assignment = Assignment.of(self.job, self.folder, ONE[0], "cpu", config)
        return Decoder(assignment).decode()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "beach")


def halves(width: int, height: int) -> Image.Image:
    """Black on the left, white on the right."""
    image = Image.new("L", (width, height))
    image.paste(255, (width // 2, 0, width, height))
    return image


def test_a_job_of_a_content_and_a_style_has_nothing_else(bench: Bench) -> None:
    """Everything more is absent, not empty pictures."""
    given = bench.decode()
    assert (given.init, given.series) == (None, ())
    assert (given.styles[0].region, given.styles[0].mask) == (None, None)


def test_a_region_has_the_size_of_the_content_and_a_mask_that_of_its_style(bench: Bench) -> None:
    """Also where the result is smaller than both, and the masks are of other sizes."""
    Image.new("RGB", (50, 100), "orange").save(bench.folder / "style-1.png")
    bench.add("region", halves(100, 10), style=0)
    bench.add("mask", halves(8, 8), style=0)
    bench.change(size=16)
    given = bench.decode()
    (style,) = given.styles
    assert given.content.pixels.shape == (12, 16, 3)
    assert style.region is not None
    assert style.mask is not None
    assert (style.region.shape, style.region.dtype) == ((12, 16), np.dtype("float32"))
    assert style.mask.shape == style.pixels.shape[:2] == (16, 8)
    assert (style.region[:, 0].max(), style.region[:, -1].min()) == (0, 1)


def test_masks_and_the_beginning_grow_with_a_content_that_is_enlarged(bench: Bench) -> None:
    """And the note names the content."""
    bench.add("region", halves(32, 24), style=0)
    bench.add("init", Image.new("RGB", (32, 24)))
    bench.change(size=96, enlarge=True)
    given = bench.decode()
    assert given.content.pixels.shape == (72, 96, 3)
    assert given.styles[0].region is not None
    assert given.init is not None
    assert (given.styles[0].region.shape, given.init.shape) == ((72, 96), (72, 96, 3))
    note = "beach.png: enlarged from 32 x 24 to 96 x 72 pixels, as was asked for"
    assert note in given.notes


def test_each_mask_goes_to_its_own_style(bench: Bench) -> None:
    """Not to a neighbour, in whatever order they stand in the job."""
    second = bench.job.inputs[1].model_copy(update={"style": 1, "weight": 0.5})
    bench.change(inputs=(*bench.job.inputs, second))
    bench.add("region", halves(32, 24), style=1, number=2)
    bench.add("mask", halves(32, 24), style=0)
    one, two = bench.decode().styles
    assert (one.region is None, one.mask is None) == (True, False)
    assert (two.region is None, two.mask is None, two.weight) == (False, True, 0.5)


def test_a_beginning_is_stretched_to_the_content(bench: Bench) -> None:
    """Smaller or larger, of another shape, and without what its alpha hides."""
    bench.add("init", Image.new("RGBA", (7, 90), (0, 0, 0, 0)))
    init = bench.decode().init
    assert init is not None
    assert (init.shape, init.min(), init.max()) == ((24, 32, 3), 1, 1)


@pytest.mark.parametrize(("size", "side"), [(None, SERIES_SIDE), (40, 40), (4000, SERIES_SIDE)])
def test_a_series_keeps_its_order_and_its_shapes(bench: Bench, size: int | None, side: int) -> None:
    """No picture is larger than the result, nor than what a hundred of may lie in memory."""
    bench.change(size=size)
    for number, color in enumerate(("red", "lime", "blue"), start=1):
        bench.add("series", Image.new("RGB", (1000, 500), color), number=number)
    series = bench.decode().series
    assert [picture.shape for picture in series] == [(side // 2, side, 3)] * 3
    assert [int(picture[0, 0].argmax()) for picture in series] == [0, 1, 2]


@pytest.mark.parametrize("role", ["region", "mask", "init", "series"])
def test_a_broken_picture_is_called_by_the_sidecars_name(bench: Bench, role: Role) -> None:
    """The name in the job's folder means nothing to a person."""
    source = bench.add(role, halves(8, 8), style=0)
    (bench.folder / f"{role}-1.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=rf"^{source}: not a picture") as caught:
        bench.decode()
    assert caught.value.code == "picture_unreadable"


def test_a_job_names_its_pictures_as_a_sidecar_does(bench: Bench) -> None:
    """What the recipe says can be made a sidecar again."""
    bench.add("region", halves(8, 8), style=0)
    bench.add("init", halves(8, 8))
    bench.add("series", halves(8, 8), number=1)
    bench.add("series", halves(8, 8), number=2)
    assert describe_pictures(bench.job) == {
        "content": "beach.png",
        "style": [{"image": "starry.png", "weight": 1.0, "scale": 1.0, "region": "my-region.png"}],
        "init": "my-init.png",
        "series": ["my-series.png", "my-series.png"],
    }


def test_a_job_of_an_earlier_version_is_read(bench: Bench) -> None:
    """Its inputs said nothing of the style that they belong to."""
    known = json.loads(bench.job.model_dump_json())
    for each in known["inputs"]:
        del each["style"]
    bench.job = Job.model_validate_json(json.dumps(known))
    assert len(bench.decode().styles) == 1
