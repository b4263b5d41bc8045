"""What people drop: jobs of every kind, and the ledger of what was dropped."""

from __future__ import annotations

import random
import shutil
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image
from support.playground import Playground

from soak.films import (
    HAS_EXTRA,
    LOSSY,
    SIZE,
    Color,
    colors_of_frames,
    elsewhere,
    is_alike,
    make_film,
)
from soak.judge import CLAIMS, RECIPE, RECIPE_FOLDERS, recipe_pictures, sidecars

FINISHED = ""
"""Where an error code would stand: the job has made its picture."""
_BLOWS = frozenset({"worker_died", "device_failed"})
"""A storm may use up the attempts of any job that runs."""

FOLDERS = ("", "north", "south/deep")
STYLE = "style.png"
SUBMITTED = "submitted film"


@dataclass(frozen=True)
class Kind:
    """A kind of job: how often it comes, what it asks for, and how it may end."""

    weight: int
    ends: frozenset[str]
    options: dict[str, object] | None = None
    suffix: str = ".png"
    """Of the content; none for a folder of frames."""


SLOWLY: dict[str, object] = {"steps": 4, "pause": 0.02}
"""So that films are killed between two frames."""
FILMS = {
    "animation": Kind(5, _BLOWS | {FINISHED}, SLOWLY, ".gif"),
    "frames": Kind(5, _BLOWS | {FINISHED}, SLOWLY, ""),
    "film": Kind(5, _BLOWS | {FINISHED}, SLOWLY, ".mp4"),
    "torn film": Kind(3, _BLOWS | {"picture_unreadable"}, suffix=".gif"),
    SUBMITTED: Kind(4, _BLOWS | {FINISHED}, suffix=".gif"),
}
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
    **(FILMS if HAS_EXTRA else {}),
    # in the folder of a recipe, without a sidecar
    **{folder: Kind(8, _BLOWS | {FINISHED}) for folder in RECIPE_FOLDERS},
}


@dataclass
class Submission:
    """One sidecar, under a name that no other has."""

    name: str
    kind: str
    color: Color
    suffix: str = ".png"
    may_be_gone: bool = False
    """Deleted with its inbox while a claim was in flight: it may end once, or not at all."""

    @property
    def ends(self) -> frozenset[str]:
        """The codes with which it may end."""
        return KINDS[self.kind].ends

    @property
    def content(self) -> str:
        """The name of its picture, film or folder of frames."""
        return f"{self.name}{self.suffix}" if self.suffix else f"{self.name}-frames"

    def is_shown_by(self, colors: Sequence[Color]) -> bool:
        """Whether a result of these colours, of all frames of a film, is its own."""
        if self.suffix == ".png":
            return list(colors) == [self.color]
        tolerance = LOSSY if self.suffix == ".mp4" else 0
        return is_alike(colors, colors_of_frames(self.color), tolerance)


class Dropper:
    """Drops jobs, drawn from a seed; `ledger` has those that must be accounted for."""

    def __init__(self, ground: Playground, scratch: Path, seed: int) -> None:
        self._ground, self._inbox, self._scratch = ground, ground.inbox, scratch
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
        suffix = KINDS[kind].suffix
        if kind in RECIPE_FOLDERS and HAS_EXTRA:
            suffix = self._draw.choice((".png", ".png", ".png", ".gif", ".mp4"))
        job = Submission(f"job-{number:06}", kind, color, suffix)
        self.ledger[job.name] = job
        folder = self._inbox / self._draw.choice(FOLDERS)
        if kind in RECIPE_FOLDERS:
            self._put_for_recipe(job)
            return
        if kind == SUBMITTED:
            self._submit(job)
            return
        folder.mkdir(parents=True, exist_ok=True)
        self._put(job, folder, self._sidecar(job))

    def _put_for_recipe(self, job: Submission) -> None:
        """The picture alone; with the recipe, if the folder was deleted or is not there yet."""
        folder = self._inbox / job.kind
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / RECIPE).exists():
            text = f"style: {STYLE}\npictures: {RECIPE_FOLDERS[job.kind]}\n"
            text += "output: {format: apng}\n"  # of films
            (folder / RECIPE).write_text(text)
        self._picture(job, folder)

    def _submit(self, job: Submission) -> None:
        """By the command; where that is refused, its disk may be full or its inbox away."""
        with elsewhere(self._scratch, job.content, job.color) as path:
            options = ("--name", job.name, "--format", "apng", "-o", "pause=0.05")
            done = self._ground.command("submit", str(path), Path(STYLE).stem, *options)
        job.may_be_gone = done.returncode != 0

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
        wish: dict[str, object] = {"content": job.content, "style": STYLE}
        if job.suffix != ".png":
            wish["output"] = {"format": "apng"} if job.suffix else {"every": 1}
            wish["content"] = job.content if job.suffix else f"{job.content}/"
        options = KINDS[job.kind].options
        if options and "times" in options:
            options = {**options, "attempts_file": str(self._scratch / job.name)}
        if options:
            wish["options"] = options
        return yaml.safe_dump(wish | {"priority": self._draw.randrange(101)})

    def _picture(self, job: Submission, folder: Path) -> None:
        if not folder.is_dir():  # the inbox was deleted meanwhile, its sidecar too
            return
        path = folder / job.content
        if job.suffix == ".png":
            Image.new("RGB", SIZE, job.color).save(path)
        else:  # its encoder may rest for longer than files need to settle
            make_film(self._scratch / job.content, job.color)
            shutil.move(self._scratch / job.content, path)
        if job.kind in {"torn picture", "torn film"}:
            path.write_bytes(path.read_bytes()[: 40 if job.suffix == ".png" else -20])

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
