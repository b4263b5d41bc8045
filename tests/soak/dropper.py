"""What people drop: jobs of every kind, and the ledger of what was dropped."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image

from soak.judge import CLAIMS, RECIPE, RECIPE_FOLDERS, recipe_pictures, sidecars

FINISHED = ""
"""Where an error code would stand: the job has made its picture."""
_BLOWS = frozenset({"worker_died", "device_failed"})
"""A storm may use up the attempts of any job that runs."""

FOLDERS = ("", "north", "south/deep")
STYLE = "style.png"


@dataclass(frozen=True)
class Kind:
    """A kind of job: how often it comes, what it asks for, and how it may end."""

    weight: int
    ends: frozenset[str]
    options: dict[str, object] | None = None


KINDS = {
    "good": Kind(50, _BLOWS | {FINISHED}),
    "slow": Kind(12, _BLOWS | {FINISHED}, {"steps": 40, "pause": 0.02}),
    "late": Kind(6, _BLOWS | {FINISHED}),  # its picture comes after its sidecar
    # these do their deed once: an attempt that resumes behind it finishes
    "raises": Kind(6, _BLOWS | {"backend_failed", FINISHED}, {"act": "raise"}),
    "deadly": Kind(4, _BLOWS | {FINISHED}, {"act": "kill"}),
    "deadly once": Kind(4, _BLOWS | {FINISHED}, {"act": "kill", "times": 1}),
    "torn picture": Kind(6, _BLOWS | {"picture_unreadable"}),
    "no picture": Kind(3, frozenset({"picture_missing"})),
    "not YAML": Kind(5, frozenset({"sidecar_invalid"})),
    "bad options": Kind(4, frozenset({"options_invalid"}), {"stripes": 3}),
    "again": Kind(0, _BLOWS | {FINISHED}),  # asked for by the operator
    # in the folder of a recipe, without a sidecar
    **{folder: Kind(8, _BLOWS | {FINISHED}) for folder in RECIPE_FOLDERS},
}


@dataclass
class Submission:
    """One sidecar, under a name that no other has."""

    name: str
    kind: str
    color: tuple[int, int, int]
    may_be_gone: bool = False
    """Deleted with its inbox while a claim was in flight: it may end once, or not at all."""

    @property
    def ends(self) -> frozenset[str]:
        """The codes with which it may end."""
        return KINDS[self.kind].ends


class Dropper:
    """Drops jobs, drawn from a seed; `ledger` has those that must be accounted for."""

    def __init__(self, inbox: Path, scratch: Path, seed: int) -> None:
        self._inbox, self._scratch = inbox, scratch
        self._draw = random.Random(f"dropper {seed}")
        self._later: deque[Callable[[], None]] = deque()
        self._number = 0
        self.ledger: dict[str, Submission] = {}

    def drop(self) -> None:
        """Drop one more job; a picture that is late comes with the next one."""
        self.bring_late_pictures()
        self._number += 1
        number = self._number
        kind = self._draw.choices(list(KINDS), [kind.weight for kind in KINDS.values()])[0]
        color = (number % 256, number // 256 % 256, self._draw.randrange(256))
        job = Submission(f"job-{number:06}", kind, color)
        self.ledger[job.name] = job
        folder = self._inbox / self._draw.choice(FOLDERS)
        if kind in RECIPE_FOLDERS:
            self._put_for_recipe(job)
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._put(job, folder, self._sidecar(job))

    def _put_for_recipe(self, job: Submission) -> None:
        """The picture alone; with the recipe, if the folder was deleted or is not there yet."""
        folder = self._inbox / job.kind
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / RECIPE).exists():
            text = f"style: {STYLE}\npictures: {RECIPE_FOLDERS[job.kind]}\n"
            (folder / RECIPE).write_text(text)
        self._picture(job, folder)

    def bring_late_pictures(self) -> None:
        """Put those pictures into the inbox whose sidecars are there already."""
        while self._later:
            self._later.popleft()()

    def _put(self, job: Submission, folder: Path, sidecar: str) -> None:
        if job.kind == "late":
            self._later.append(lambda: self._picture(job, folder))
        elif job.kind != "no picture":
            self._picture(job, folder)
        path = folder / f"{job.name}.yaml"
        if self._draw.random() < 0.5:
            path.write_text(sidecar)  # as many programs do
        else:
            temporary = folder / f".{job.name}.tmp"
            temporary.write_text(sidecar)
            temporary.rename(path)

    def _sidecar(self, job: Submission) -> str:
        if job.kind == "not YAML":
            return "content: [beach.png\n"
        wish: dict[str, object] = {"content": f"{job.name}.png", "style": STYLE}
        options = KINDS[job.kind].options
        if options and "times" in options:
            options = {**options, "attempts_file": str(self._scratch / job.name)}
        if options:
            wish["options"] = options
        return yaml.safe_dump(wish | {"priority": self._draw.randrange(101)})

    def _picture(self, job: Submission, folder: Path) -> None:
        if not folder.is_dir():  # the inbox was deleted meanwhile, its sidecar too
            return
        path = folder / f"{job.name}.png"
        Image.new("RGB", (16, 12), job.color).save(path)
        if job.kind == "torn picture":
            path.write_bytes(path.read_bytes()[:40])

    def deleted(self, inbox: Path) -> None:
        """Somebody deleted `inbox`, a folder that was moved away before: whom that concerns."""
        paths = list(sidecars(inbox))
        claimed = {path.stem for path in paths if CLAIMS in path.relative_to(inbox).parts}
        for name in claimed:
            self.ledger[name].may_be_gone = True
        for name in {path.stem for path in paths} - claimed:
            del self.ledger[name]
        for name in recipe_pictures(inbox, set()):
            self.ledger[name].may_be_gone = True
