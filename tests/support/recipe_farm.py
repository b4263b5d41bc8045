"""Roots with one picture in the folder of a recipe, for daemons that die or whose disk fails."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from nstd.documents.sidecar_writer import dump
from support.disk import names_in
from support.farm import Farm, Plot

MODES = ("keep", "archive", "delete")
"""What becomes of the picture that is taken."""
FOLDER = "starry"


class RecipePlot(Plot):
    """A root with a recipe, its style and one picture, and what must be true of it."""

    def __init__(self, root: Path, mode: str) -> None:
        super().__init__(root, "finished")
        self.mode, self.folder = mode, self.inbox / FOLDER
        self.text = dump({"content": "content.png", "style": "style.png"})

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
        claimed = claims.glob(f"2*/.*/{FOLDER}/{name}")
        return [*self.folder.glob(name), *claimed, *outside, *jobs]

    def check_after_fault(self) -> None:
        """Just after a death: nothing is lost, and nothing half done is to be seen."""
        self.check_results()
        assert len(self.results()) <= 1
        there = self.pictures()
        may_be_gone = self.mode == "delete" and self.results()
        assert there.pop("content.png", "") == self.inputs["content.png"] or may_be_gone
        assert there == {"style.png": self.inputs["style.png"]}
        if self.mode == "keep":
            assert (self.folder / "content.png").exists()
        assert (self.folder / "recipe.yaml").exists()

    def check_end(self) -> None:
        """When all is done: the picture is made once, and nothing is left of the claim."""
        self.check_results()
        (folder,) = self.results()
        assert str(folder.relative_to(self.outbox)) == f"{FOLDER}/content"
        self.check_rest()
        assert self.ends() == ["job.finished"]

    def check_rest(self) -> None:
        """What is left in inbox and work, whatever has become of the job."""
        kept = ["content.png"] if self.mode == "keep" else []
        assert names_in(self.folder) == sorted([*kept, "recipe.yaml", "style.png"])
        archived = [path.name for path in self.outbox.glob(f"archive/{FOLDER}/*")]
        assert archived == (["content.png"] if self.mode == "archive" else [])
        assert names_in(self.inbox / ".nstd") == ["made"]
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
                if event in {"job.finished", "job.failed"}:
                    found.append(event)
        return found


def plant_recipe(farm: Farm, mode: str) -> RecipePlot:
    """A root of its own, in whose inbox lies a folder with a recipe and one picture."""
    seed = farm.plant("finished")
    seed.sidecar.unlink()
    plot = RecipePlot(seed.root, mode)
    plot.inputs = seed.inputs
    plot.folder.mkdir()
    for name in plot.inputs:
        (plot.inbox / name).rename(plot.folder / name)
    (plot.folder / "recipe.yaml").write_text(f"style: style.png\npictures: {mode}\n")
    return plot
