"""Small films, drawn by the tests, and a backend that leans on earlier frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

CARRY = """
import os, time
from pydantic import BaseModel, ConfigDict
from nstd.backend import Progress, Result

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pause: float = 0.0
    until: str = ""          # waits in each frame until this file is there
    unless: str = ""         # fails while this file is not there
    budget: float | None = None

class Carry:
    '''Half the content, half the frame before: an error in one is in all that follow.'''

    name = "carry"
    size = None
    takes = frozenset({"earlier", "series"})
    Options = Options

    def run(self, task, report):
        options = task.options
        time.sleep(options.pause)
        if options.unless and not os.path.exists(options.unless):
            raise RuntimeError("not yet")
        while options.until and not os.path.exists(options.until):
            report(Progress(step=0, steps=2, fraction=0.0))
            time.sleep(0.02)
        pixels = 1 - task.content
        if task.earlier:
            known = task.earlier[0].certainty[:, :, None]
            pixels = pixels + known * (0.5 * task.earlier[0].pixels - 0.5 * pixels)
        report(Progress(step=2, steps=2, fraction=1.0, losses={"total": float(pixels.mean())}))
        return Result(pixels.astype("float32"), seed=7, stopped="plateau")
"""
"""A plug-in whose frames differ wherever the past of a frame was another one."""


def pictures(count: int = 5, size: tuple[int, int] = (48, 32)) -> list[Image.Image]:
    """The frames of a disc that moves over a texture that moves the other way."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    texture = np.random.default_rng(3).integers(70, 190, (height, width + 2 * count, 3))
    frames = []
    for number in range(count):
        frame = texture[:, 2 * number : 2 * number + width].astype(np.uint8)
        frame[(x - 12 - 3 * number) ** 2 + (y - height // 2) ** 2 < 50] = (235, 70, 40)
        frames.append(Image.fromarray(frame))
    return frames


def save_gif(path: Path, frames: Sequence[Image.Image], durations: Sequence[int] = (80,)) -> Path:
    """A GIF; the durations, in milliseconds, are repeated as often as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = [durations[number % len(durations)] for number in range(len(frames))]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=times, loop=0)
    return path


def save_folder(folder: Path, frames: Sequence[Image.Image]) -> Path:
    """A folder of numbered PNG files."""
    folder.mkdir(parents=True)
    for number, frame in enumerate(frames, start=1):
        frame.save(folder / f"shot-{number:04}.png")
    return folder


def save_mp4(
    path: Path, frames: Sequence[Image.Image], rate: int = 10, *, sound: bool = False
) -> Path:
    """An MP4, at choice with a tone of its length in AAC."""
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as film:
        stream = film.add_stream("libx264", rate=rate)
        stream.width, stream.height = frames[0].size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "12", "threads": "1"}
        tone = film.add_stream("aac", rate=44100) if sound else None
        for frame in frames:
            film.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(frame), "rgb24")))
        film.mux(stream.encode())
        if tone is not None:
            length = 44100 * len(frames) // rate
            wave = 0.3 * np.sin(np.arange(length) * 2 * np.pi * 440 / 44100)
            samples = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], "fltp", "mono")
            samples.sample_rate = 44100
            film.mux(tone.encode(samples))
            film.mux(tone.encode())
    return path


def save_style(path: Path, size: tuple[int, int] = (32, 32)) -> Path:
    """A style of many colours."""
    values = np.random.default_rng(5).integers(0, 256, (*size[::-1], 3), dtype=np.uint8)
    Image.fromarray(values).save(path)
    return path
