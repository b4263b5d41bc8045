"""Roots with one film each, for daemons that die or whose disk fails at any step of a run."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from support.cinema import CARRY, pictures, save_gif, save_style
from support.farm import Farm, Plot
from support.forge import Forge
from support.plugins import install

FRAMES = 3


class FilmFarm(Farm):
    """Each job is a GIF; the backend makes each frame of the one before."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        install(self.seed.site, "carry", CARRY, attribute="Carry")
        self.seed.configure(jobs={"backend": "carry"})
        (self.seed.site / "sitecustomize.py").write_text("import av, cv2\n")
        self.forge.close()
        self.forge = Forge(self.seed.environment)  # has them imported when it forks
        self.made: dict[int, bytes] = {}

    def plant(self, kind: str, frames: int = FRAMES) -> FilmPlot:
        """A root of its own, in whose inbox lies one film."""
        self._count += 1
        plot = FilmPlot(self.folder / f"{self._count}", kind, self, frames)
        shutil.copytree(self.seed.root, plot.root)
        save_gif(plot.inbox / "content.gif", pictures(frames, (24, 18)))
        save_style(plot.inbox / "style.png", (16, 12))
        (plot.inbox / "sub").mkdir()
        plot.sidecar.write_text("content: ../content.gif\nstyle: ../style.png\n")
        plot.inputs, plot.text = plot.pictures(), plot.sidecar.read_bytes()
        return plot


class FilmPlot(Plot):
    """A root with one film, and what must be true of it."""

    def __init__(self, root: Path, kind: str, farm: FilmFarm, frames: int) -> None:
        super().__init__(root, kind)
        self._farm, self._frames = farm, frames

    def pictures(self) -> dict[str, str]:
        """The SHA-256 of each picture and film in the inbox."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.inbox.iterdir()
            if path.suffix in {".gif", ".png"}
        }

    def check_results(self) -> None:
        """Whatever is in the outbox is whole, and the same film as at every other time."""
        for folder in self.results():
            record = json.loads((folder / f"{folder.name}.json").read_bytes())
            output, data = record["output"], (folder / record["output"]["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == output["sha256"]
            assert output["frames"] == self._frames
            pixels = b"".join(pixels_of(folder / output["file"]))
            assert self._farm.made.setdefault(self._frames, pixels) == pixels
            table = (folder / f"{folder.name}.frames.csv").read_text().splitlines()
            assert len(table) == self._frames + 1
            assert (folder / "sheet.png").stat().st_size > 0
            assert (folder / f"{folder.name}.yaml").read_bytes() == self.text


def pixels_of(path: Path) -> list[bytes]:
    """The pixels of each frame of an animated picture; the recipe in the file names the job."""
    from PIL import Image, ImageSequence

    with Image.open(path) as film:
        return [frame.convert("RGB").tobytes() for frame in ImageSequence.Iterator(film)]
