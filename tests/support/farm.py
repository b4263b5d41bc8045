"""Roots with one job each, for daemons that die or whose disk fails at any step of a run.

The invariant: a job is in one place; its bytes exist until the result is durable; the outbox
holds only complete results; every submission reaches exactly one terminal event.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import yaml
from PIL import Image

from support.disk import names_in
from support.forge import Forge
from support.playground import Playground

KINDS = ("finished", "failed", "refused")
"""How a job ends: with its picture, with an error of its backend, or refused at the door."""


class Farm:
    """Copies of one root with one dropped job, and daemons to run on them."""

    def __init__(self, folder: Path, elsewhere: Mapping[str, Path] | None = None) -> None:
        """Plant in `folder`; `elsewhere` has the places of folders on other filesystems."""
        self.folder, self._count = folder, 0
        self._elsewhere = elsewhere or {}
        (folder / "seed").mkdir()
        self.seed = Playground(
            folder / "seed",
            executor={"kind": "inline"},
            watch={"mode": "poll", "poll": "50ms", "settle": "0s"},
            jobs={"backoff": "0s"},
            log={"console": "none"},
        )
        self.forge = Forge(self.seed.environment)

    def clear(self, kind: str) -> Plot:
        """A plot whose root is still to be made."""
        self._count += 1
        return Plot(self.folder / f"{self._count}", kind)

    def plant(self, kind: str) -> Plot:
        """A root of its own, in whose inbox lies one job that will end as `kind`."""
        plot = self.clear(kind)
        shutil.copytree(self.seed.root, plot.root)
        for name, place in self._elsewhere.items():
            shutil.move(plot.root / name, place / plot.root.name)
            plot.move(name, place / plot.root.name)
        Image.new("RGB", (16, 12), "teal").save(plot.inbox / "content.png")
        Image.new("RGB", (16, 12), "orange").save(plot.inbox / "style.png")
        # Not in the middle: an attempt that resumes behind it would finish.
        act = "refuse" if kind == "failed" else ""
        options = f"options: {{{'stripes' if kind == 'refused' else 'act'}: '{act}'}}"
        (plot.inbox / "sub").mkdir()
        plot.sidecar.write_text(f"content: ../content.png\nstyle: ../style.png\n{options}\n")
        plot.inputs = plot.pictures()
        plot.text = plot.sidecar.read_bytes()
        return plot

    def run(self, plot: Plot, **files: object) -> tuple[int, int]:
        """Run a daemon on a root."""
        return self.forge.run(plot.root / "config.yaml", **files)


class Plot:
    """A root with one job, and what must be true of it."""

    def __init__(self, root: Path, kind: str) -> None:
        self.root, self.kind = root, kind
        self.inbox, self.work, self.outbox = root / "inbox", root / "work", root / "outbox"
        self.sidecar = self.inbox / "sub" / "beach.yaml"
        self.inputs: dict[str, str] = {}
        self.text = b""

    def move(self, name: str, place: Path) -> None:
        """One of the folders lies at `place`."""
        config = self.root / "config.yaml"
        settings = yaml.safe_load(config.read_text())
        settings.setdefault("folders", {})[name] = str(place)
        config.write_text(yaml.safe_dump(settings))
        setattr(self, name, place)
        self.sidecar = self.inbox / "sub" / "beach.yaml"

    def remove(self) -> None:
        """Give its space back."""
        for path in (self.root, self.inbox, self.work, self.outbox):
            shutil.rmtree(path, ignore_errors=True)

    def pictures(self) -> dict[str, str]:
        """The SHA-256 of each picture in the inbox."""
        return {
            path.name: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in self.inbox.glob("*.png")
        }

    def places(self) -> tuple[Path, ...]:
        """Where a job can be."""
        return self.inbox, self.work, self.outbox

    def results(self) -> list[Path]:
        """Every folder in the outbox that a person would take for a result."""
        records = [*self.outbox.rglob("*.json")]
        visible = [path for path in records if ".staging" not in path.parts]
        return [path.parent for path in visible]

    def check_results(self) -> None:
        """Whatever is in the outbox is whole."""
        for folder in self.results():
            if self.kind == "finished":
                record = json.loads((folder / f"{folder.name}.json").read_bytes())
                data = (folder / record["output"]["file"]).read_bytes()
                assert hashlib.sha256(data).hexdigest() == record["output"]["sha256"]
                with Image.open(folder / record["output"]["file"]) as picture:
                    picture.load()
                assert (folder / f"{folder.name}.yaml").read_bytes() == self.text
            else:
                reason = json.loads((folder / "reason.json").read_bytes())
                codes = {"failed": "backend_failed", "refused": "options_invalid"}
                assert reason["code"] == codes[self.kind]
                assert (folder / "beach.yaml").read_bytes() == self.text
                copies = names_in(folder / "inputs") if self.kind == "failed" else []
                assert len(copies) == (2 if self.kind == "failed" else 0)

    def attempts(self) -> int:
        """How many attempts the job took, as its record says; 1 if it never got that far."""
        (folder,) = self.results()
        record = {"finished": f"{folder.name}.json"}.get(self.kind, "reason.json")
        known = json.loads((folder / record).read_bytes())
        return int(known.get("attempt") or known.get("attempts") or 1)

    def check_after_fault(self) -> None:
        """Just after a death: nothing is lost, and nothing half done is to be seen."""
        self.check_results()
        assert len(self.results()) <= 1
        assert self.pictures() == self.inputs
        sidecars = [path for place in self.places() for path in place.rglob("*.yaml")]
        copies = [path for path in sidecars if path.read_bytes() == self.text]
        assert copies, "the sidecar is gone"

    def check_end(self) -> None:
        """When all is done: one result, one terminal event, and nothing left anywhere."""
        self.check_results()
        (folder,) = self.results()
        below = "sub/beach" if self.kind == "finished" else "failed/sub/beach"
        assert str(folder.relative_to(self.outbox)) == below
        assert self.pictures() == self.inputs
        assert list(self.inbox.rglob("*.yaml")) == []
        assert list((self.inbox / ".nstd").iterdir()) == []
        assert [path for path in self.work.iterdir() if path.name[0].isdigit()] == []
        assert list((self.work / ".new").iterdir()) == []
        assert list((self.outbox / ".staging").iterdir()) == []
        text = (self.outbox / "logs" / "nstd.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        ends = [line for line in lines if line["event"] in {"job.finished", "job.failed"}]
        assert len(ends) == 1, ends
        assert not [line for line in lines if line["event"] == "daemon.error"]


def kill_at_every_step(farm: Farm, kind: str, first: int, stride: int) -> None:
    """Kill a daemon at the step `first` and each `stride`th after it, and start it again."""
    for at in range(first, 1000, stride):
        plot = farm.plant(kind)
        status, _ = farm.run(plot, fault="kill", at=at)
        if status == 0:
            plot.check_end()
            assert at > 50, "too few steps to be true"
            return
        assert status == -9
        plot.check_after_fault()
        assert farm.run(plot)[0] == 0, f"after a kill at step {at}"
        plot.check_end()
        plot.remove()


def fail_at_every_step(
    farm: Farm,
    kind: str,
    fault: str,
    lasting: float,
    first: int,
    stride: int,
    *,
    reads: bool = False,
) -> None:
    """Let the step `first` fail, and each `stride`th after it, in a run of its own."""
    for at in range(first, 1000, stride):
        plot = farm.plant(kind)
        status, steps = farm.run(plot, fault=fault, at=at, lasting=lasting, reads=reads)
        plot.check_after_fault()
        if status != 0:  # it could not even start: systemd starts it again
            assert at < 20
            assert farm.run(plot)[0] == 0
        plot.check_end()
        if fault in {"ENOSPC", "EDQUOT"}:
            # A disk that was full though there was room at the start of the attempt costs one.
            assert plot.attempts() <= 2, f"{fault} at step {at}"
        if steps < at:
            assert at > 50, "too few steps to be true"
            return
        plot.remove()
