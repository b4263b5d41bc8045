"""Roots with one sidecar that makes a batch, for daemons that die at any step of a run."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path

from PIL import Image

from support.farm import Farm, Plot

GRID = "content: ../content.png\nstyle: ../style.png\noptions: {act: ['', refuse], steps: [1]}\n"
NAMES = {"content-style-1": "", "content-style-refuse-1": "backend_failed"}
"""The members, and with which code they end."""


class BatchPlot(Plot):
    """A root with one grid of two jobs, of which one fails, and what must be true of it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "batch")
        self.sidecar = self.inbox / "sub" / "studies.yaml"

    def results(self) -> list[Path]:
        """Every folder in the outbox that a person would take for a result."""
        return [each for each in super().results() if not (each / "batch.json").exists()]

    def check_results(self) -> None:
        """Whatever is in the outbox is whole, and no member is there twice."""
        found = Counter(folder.name for folder in self.results())
        assert found <= Counter(list(NAMES))
        for folder in self.results():
            failed = folder.relative_to(self.outbox).parts[0] == "failed"
            record = json.loads(
                (folder / ("reason.json" if failed else f"{folder.name}.json")).read_bytes()
            )
            assert record["batch"]["of"] == 2
            assert record["batch"]["name"] == "studies"
            assert record.get("code", "") == NAMES[folder.name]
            if not failed:
                data = (folder / record["output"]["file"]).read_bytes()
                assert hashlib.sha256(data).hexdigest() == record["output"]["sha256"]
        for sheet in self.outbox.rglob("sheet.png"):
            with Image.open(sheet) as picture:
                picture.load()

    def check_after_fault(self) -> None:
        """Just after a death: every member is in one place, or the sidecar is."""
        self.check_results()
        assert self.pictures() == self.inputs
        sidecars = [path for place in self.places() for path in place.rglob("*.yaml")]
        assert [path for path in sidecars if path.read_bytes() == self.text], "the sidecar is gone"
        batches = list(self.work.glob(".batches/*"))
        claims = [*self.inbox.glob("sub/*.yaml"), *self.inbox.glob(".nstd/*/sub/*.yaml")]
        assert batches or claims or len(self.results()) == 2
        for batch in batches:
            staged = {path.name for path in batch.glob("members/*")}
            taken = {path.name for path in self.work.iterdir() if path.name[0].isdigit()}
            ends = {f"{batch.name}-{int(end.stem):03}" for end in batch.glob("ends/*.json")}
            assert not staged & taken
            assert staged | taken | ends == {f"{batch.name}-000", f"{batch.name}-001"}

    def check_end(self) -> None:
        """When all is done: each member once, one sheet, and nothing left anywhere."""
        self.check_results()
        places = {str(folder.relative_to(self.outbox)) for folder in self.results()}
        assert places == {
            "sub/studies/content-style-1",
            "failed/sub/studies/content-style-refuse-1",
        }
        self.check_folder(self.outbox / "sub" / "studies")
        assert self.pictures() == self.inputs
        assert list(self.inbox.rglob("*.yaml")) == []
        assert [path for path in self.work.iterdir() if path.name[0].isdigit()] == []
        places_of_work = (self.work / ".new", self.work / ".batches", self.inbox / ".nstd")
        for rest in (*places_of_work, self.outbox / ".staging"):
            assert not rest.exists() or list(rest.iterdir()) == []
        ends = Counter(line["event"] for line in self.log())
        kinds = ("job.finished", "job.failed", "batch.finished")
        assert [ends[kind] for kind in kinds] == [1, 1, 1], ends
        assert not ends["daemon.error"]

    def check_folder(self, folder: Path) -> None:
        """What lies there of the batch as a whole."""
        names = {path.name for path in folder.iterdir()}
        assert names == {"sheet.png", "batch.json", "studies.yaml", "content-style-1"}
        assert (folder / "studies.yaml").read_bytes() == self.text
        batch = json.loads((folder / "batch.json").read_bytes())
        assert [each["end"]["state"] for each in batch["members"]] == ["finished", "failed"]
        assert (batch["sheet"], batch["round"]) == ("sheet.png", 1)

    def log(self) -> list[dict[str, object]]:
        """The lines of the log; those that a power cut has torn are no lines."""
        lines = []
        for path in self.outbox.glob("logs/nstd.jsonl*"):
            for text in path.read_bytes().splitlines():
                try:
                    lines.append(json.loads(text))
                except ValueError:
                    continue
        return lines


def plant_batch(farm: Farm) -> BatchPlot:
    """A root of its own, in whose inbox lies a grid."""
    plot = farm.plant("finished")
    plot.sidecar.unlink()
    batch = BatchPlot(plot.root)
    batch.sidecar.write_text(GRID)
    batch.inputs, batch.text = plot.inputs, batch.sidecar.read_bytes()
    return batch
