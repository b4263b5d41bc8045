"""The small pictures of a job: of everything that went in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from pydantic import BaseModel

from nstd.backend import Style, Task
from nstd.executors.worker.thumbnails import Thumbnails
from nstd.queue.paths import JobPaths
from nstd.system.durable import Files


class NoOptions(BaseModel):
    """Of a backend that has none."""


def test_regions_masks_and_the_start_have_small_pictures_too(tmp_path: Path) -> None:
    """White is where a style applies; a style without a mask has none."""
    content, style = (np.full((24, 32, 3), shade, np.float32) for shade in (0.5, 0.2))
    half = np.zeros((24, 32), np.float32)
    half[:, 16:] = 1
    task = Task(
        content=content,
        styles=(Style(style, region=half), Style(style, mask=half)),
        options=NoOptions(),
        device="cpu",
        weights=tmp_path,
        init=content,
    )
    troubles: list[str] = []
    paths = JobPaths(tmp_path)
    Thumbnails(paths, Files(), troubles.append).of_inputs(task)
    assert troubles == []
    assert set(paths.views()) == {
        f"{name}.webp"
        for name in ("content", "style-1", "style-2", "region-1", "mask-2", "init", "strip")
    }
    with Image.open(paths.view("region-1")) as region:
        grey = np.asarray(region.convert("L"))
    assert grey[:, :12].max() < 30
    assert grey[:, 20:].min() > 225
