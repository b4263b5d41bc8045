"""Roots with one picture in the folder of a recipe, for daemons that die or whose disk fails."""

from __future__ import annotations

import hashlib
import json
import time
from copy import copy
from pathlib import Path
from typing import ClassVar

import yaml

from nstd.documents.sidecar_writer import dump
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files
from support.disk import names_in
from support.farm import Farm, Plot

MODES = ("keep", "archive", "delete")
"""What becomes of the picture that is taken."""
KINDS = (*MODES, "grid")
"""The same, and a recipe with a list, whose pictures are kept."""
FOLDER = "starry"


class RecipePlot(Plot):
    """A root with a recipe, its style and one picture, and what must be true of it."""

    told: ClassVar = ["job.finished"]
    """The events that end the making of one picture."""

    def __init__(self, root: Path, mode: str) -> None:
        super().__init__(root, "finished")
        self.mode, self.folder = mode, self.inbox / FOLDER
        self.text = dump({"content": "content.png", "style": "style.png"})
        self.picture = b""

    def at(self, root: Path) -> RecipePlot:
        """The same, of which a copy lies elsewhere."""
        left = copy(self)
        left.root, left.folder = root, root / "inbox" / FOLDER
        left.inbox, left.work, left.outbox = root / "inbox", root / "work", root / "outbox"
        return left

    def pictures(self) -> dict[str, str]:
        """The SHA-256 of the picture and of the style, wherever they lie."""
        found: dict[str, str] = {}
        for name in ("content.png", "style.png"):
            for path in self._copies(name):
                found.setdefault(name, hashlib.sha256(path.read_bytes()).hexdigest())
        return found

    def _copies(self, name: str) -> list[Path]:
        """Where the bytes of a picture of the folder may be; of one in work under its role."""
        claims, role = self.inbox / ".nstd", f"{name.removesuffix('.png')}*.png"
        outside = [] if name == "style.png" else [*self.outbox.glob(f"archive/{FOLDER}/{name}")]
        jobs = [
            path for path in self.work.glob(f"2*/{role}") if (path.parent / "job.json").exists()
        ]
        claimed = [*claims.glob(f"2*/.*/{FOLDER}/{name}"), *self.inbox.glob(f".again*/*/{name}")]
        return [*self.folder.glob(name), *claimed, *outside, *jobs]

    def ask_again(self) -> None:
        """Ask for the picture once more, as `nstd again` does, and bring it back if it is gone."""
        staged = "" if self.mode == "keep" else f".again-{'0' * 16}"
        if staged:
            back = self.inbox / staged / FOLDER / "content.png"
            back.parent.mkdir(parents=True)
            back.write_bytes(self.picture)
        request = ControlRequest("again", f"{FOLDER}/", until=time.time(), staged=staged)
        ControlRequests(self.work, Files()).write(request)

    def check_after_fault(self, made: int = 1) -> None:
        """Just after a death: nothing is lost, and nothing half done is to be seen.

        `made` is how often the picture is made in the end.
        """
        self.check_results()
        assert len(self.jobs()) <= made
        there = self.pictures()
        may_be_gone = self.mode == "delete" and len(self.jobs()) == made
        assert there.pop("content.png", "") == self.inputs["content.png"] or may_be_gone
        assert there == {"style.png": self.inputs["style.png"]}
        if self.mode == "keep":
            assert (self.folder / "content.png").exists()
        assert (self.folder / "recipe.yaml").exists()

    def jobs(self) -> list[str]:
        """What has come of the picture, by its folder in the outbox."""
        return sorted(str(folder.relative_to(self.outbox)) for folder in self.results())

    def check_end(self, made: int = 1) -> None:
        """When all is done: the picture is made so often, and nothing is left of the claim."""
        self.check_results()
        assert self.jobs() == [f"{FOLDER}/content", f"{FOLDER}/content-2"][:made]
        self.check_rest()
        assert sorted(self.ends()) == sorted(self.told * made)

    def check_rest(self) -> None:
        """What is left in inbox and work, whatever has become of the job."""
        kept = ["content.png"] if self.mode == "keep" else []
        assert names_in(self.folder) == sorted([*kept, "recipe.yaml", "style.png"])
        archived = [path.name for path in self.outbox.glob(f"archive/{FOLDER}/*")]
        assert archived == (["content.png"] if self.mode == "archive" else [])
        assert names_in(self.inbox / ".nstd") == ["made"]
        assert not list(self.inbox.glob(".again*"))
        notes = sorted(
            path.stem
            for path in self.inbox.glob(f".nstd/made/{FOLDER}/*.json")
            if path.stem[0] != "."
        )
        taken = {"style.png", *kept}
        assert notes == sorted(digest for name, digest in self.inputs.items() if name in taken)
        assert [path for path in self.work.iterdir() if path.name[0].isdigit()] == []
        for rest in (self.work / ".new", self.outbox / ".staging", self.work / ".batches"):
            assert not rest.exists() or list(rest.iterdir()) == []

    def ends(self) -> list[str]:
        """The terminal events in the log; a line that a power cut has torn is none."""
        found = []
        for path in self.outbox.glob("logs/nstd.jsonl*"):
            for text in path.read_bytes().splitlines():
                try:
                    event = json.loads(text)["event"]
                except ValueError:
                    continue
                assert event != "daemon.error", text
                if event in {"job.finished", "job.failed", "batch.finished"}:
                    found.append(event)
        return found


class RecipeBatchPlot(RecipePlot):
    """The same with a list in the recipe: the picture becomes a batch of two jobs."""

    told: ClassVar = ["batch.finished", "job.finished", "job.finished"]

    def __init__(self, root: Path) -> None:
        super().__init__(root, "keep")

    def check_results(self) -> None:
        """Whatever is in the outbox is whole, and has the sidecar of its own step."""
        for folder in self.results():
            record = json.loads((folder / f"{folder.name}.json").read_bytes())
            data = (folder / record["output"]["file"]).read_bytes()
            assert hashlib.sha256(data).hexdigest() == record["output"]["sha256"]
            said = yaml.safe_load((folder / f"{folder.name}.yaml").read_bytes())
            steps = record["settings"]["options"]["steps"]
            assert (said["options"]["steps"], record["batch"]["of"]) == (steps, 2)

    def results(self) -> list[Path]:
        """Every folder in the outbox that a person would take for a result."""
        return [each for each in super().results() if not (each / "batch.json").exists()]

    def jobs(self) -> list[str]:
        """The folders of the batches of which something is there."""
        return sorted({str(each.parent.relative_to(self.outbox)) for each in self.results()})

    def check_end(self, made: int = 1) -> None:
        """Two members each, one sheet each."""
        super().check_end(made)
        for place in self.jobs():
            names = names_in(self.outbox / place)
            steps = [name for name in names if (self.outbox / place / name).is_dir()]
            assert [name[-1] for name in steps] == ["1", "2"], names
            assert set(names) - set(steps) == {"batch.json", "sheet.png", "content.yaml"}


def plant_recipe(farm: Farm, mode: str) -> RecipePlot:
    """A root of its own, in whose inbox lies a folder with a recipe and one picture.

    `mode` is what becomes of the picture, or `grid`: it is kept, and makes a batch.
    """
    seed = farm.plant("finished")
    seed.sidecar.unlink()
    plot = RecipeBatchPlot(seed.root) if mode == "grid" else RecipePlot(seed.root, mode)
    plot.inputs = seed.inputs
    plot.folder.mkdir()
    for name in plot.inputs:
        (plot.inbox / name).rename(plot.folder / name)
    plot.picture = (plot.folder / "content.png").read_bytes()
    lists = "options: {steps: [1, 2]}\n" if mode == "grid" else ""
    (plot.folder / "recipe.yaml").write_text(f"style: style.png\npictures: {plot.mode}\n{lists}")
    return plot
