"""The judge: where every job is, and whether what lies there is whole. It reads files alone.

The invariant: a job is in exactly one of inbox, work, outbox and failed; the bytes of its inputs
exist until its result is durable; the outbox holds only complete results; every submission
reaches exactly one terminal event. The manual's table of states says what counts as what.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.queue.job import JOB_ID
from nstd.system.folder_digest import sha256_of_folder
from nstd.system.nofollow import Folder
from soak.films import Color, shown_colors

CLAIMS, MADE, RECIPE = ".nstd", "made", "recipe.yaml"
RECIPE_FOLDERS = {"kept": "keep", "archived": "archive", "deleted": "delete"}
"""Folders with a recipe, and what becomes of the pictures in each."""
NOT_RESULTS = {".staging", ".expired", "logs", "archive", "gallery", "index.html"}
COPYING = ".nstd-"
"""How the names begin of what is still being copied to the folder of what has expired."""
TERMINAL = {"job.finished", "job.failed"}


class TornError(Exception):
    """Something is not whole."""


@dataclass(frozen=True)
class Result:
    """A whole result: the submission and the job it belongs to, the code, and the first pixel of
    the picture, or of each frame."""

    name: str
    job: str
    code: str = ""
    colors: tuple[Color, ...] = ()
    priority: int | None = None

    @property
    def place(self) -> str:
        """Where it counts as being."""
        return "failed" if self.code else "outbox"


class Judge:
    """Looks at one root again and again; what was found whole in the outbox cannot change.

    It may expire, and is then as whole in the folder `gone`; or in both, while it is on its way.
    """

    def __init__(self, inbox: Path, work: Path, outbox: Path, gone: Path | None = None) -> None:
        self._inbox, self._work, self._outbox = inbox, work, outbox
        self._gone = gone
        self._known: dict[Path, Result] = {}
        self.results: dict[Path, Result] = {}
        self.torn: set[str] = set()

    def places(self) -> dict[str, list[str]]:
        """Where each submission is, by the stem of its sidecar. No daemon may run meanwhile."""
        self._look_at_outbox()
        places: dict[str, list[str]] = defaultdict(list)
        for result in self.results.values():
            places[result.name].append(result.place)
        published = {result.job for result in self.results.values()}
        jobs = dict(self._jobs())
        for job, name in jobs.items():
            if job not in published:
                places[name].append("work")
        known = published | jobs.keys()
        for name in [*self._sidecars(known), *recipe_pictures(self._inbox, known)]:
            places[name].append("inbox")
        return places

    def events(self) -> Iterator[dict[str, Any]]:
        """Every event of the log; a line that a full disk cut off is none."""
        for path in self._outbox.glob("logs/nstd.jsonl*"):
            for line in path.read_text(errors="replace").splitlines():
                yield _parsed(line)

    def terminal_events(self) -> Counter[str]:
        """How many events end each job, by its id."""
        return Counter(event["job"] for event in self.events() if event.get("event") in TERMINAL)

    def leftovers(self) -> list[Path]:
        """What must not be there when every job has ended."""
        hidden = [self._outbox / name for name in (".staging", ".expired")]
        places = [self._work / ".new", self._inbox / CLAIMS, *hidden]
        left = [path for place in places if place.is_dir() for path in place.iterdir()]
        left = [path for path in left if path.name != MADE]
        return left + [path for path in self._work.iterdir() if JOB_ID.fullmatch(path.name)]

    # The outbox

    def _look_at_outbox(self) -> None:
        """Every folder that holds files is a result; the others mirror those of the inbox."""
        before, self.results = self.results, self._read_all(self._folders(self._outbox))
        if self._gone is not None:
            self.results |= self._read_all(self._folders(self._gone))
        settled = {result.job for result in self.results.values()}
        on_the_way = self._read_all(self._expiring())
        self.results |= {path: each for path, each in on_the_way.items() if each.job not in settled}
        jobs = {result.job for result in self.results.values()}
        for folder, result in before.items():
            if result.job not in jobs:
                self.torn.add(f"{folder} has vanished")

    def _read_all(self, folders: Iterator[Path]) -> dict[Path, Result]:
        found = {}
        for folder in folders:
            try:
                if folder not in self._known:
                    self._known[folder] = _read_result(folder)
                found[folder] = self._known[folder]
            except (TornError, OSError, ValueError, KeyError) as error:
                self.torn.add(f"{folder}: {error!r}")
        return found

    def _expiring(self) -> Iterator[Path]:
        """The results that are between the outbox and the folder `gone`, as a whole."""
        for held in self._outbox.glob(".expired/*"):
            if not held.name.endswith(".done"):
                yield from self._folders(held)

    def _folders(self, folder: Path) -> Iterator[Path]:
        with os.scandir(folder) as found:
            entries = [each for each in found if each.name not in NOT_RESULTS]
            entries = [each for each in entries if not each.name.startswith(COPYING)]
        for entry in entries:
            path = folder / entry.name
            if not entry.is_dir():
                self.torn.add(f"{path} is no result")
            elif path in self._known or _holds_files(path):
                yield path
            else:
                yield from self._folders(path)

    # What waits and runs

    def _jobs(self) -> Iterator[tuple[str, str]]:
        """The jobs in `work`, by id; their inputs are there, to the byte."""
        for folder in self._work.iterdir():
            if JOB_ID.fullmatch(folder.name):
                try:
                    yield folder.name, _read_job(folder)
                except (TornError, OSError, ValueError, KeyError) as error:
                    self.torn.add(f"{folder}: {error!r}")

    def _sidecars(self, known: set[str]) -> Iterator[str]:
        """Those in the inbox or in a claim in flight; a claim of a known job is a spare copy."""
        seen: set[int] = set()
        for path in sidecars(self._inbox):
            parts = path.relative_to(self._inbox).parts
            is_spare = parts[0] == CLAIMS and parts[1] in known
            inode = path.stat().st_ino  # a claim that is undone has two names for a moment
            if not is_spare and inode not in seen:
                seen.add(inode)
                yield path.stem


def sidecars(inbox: Path) -> Iterator[Path]:
    """Every sidecar, those of claims too; a daemon may move them meanwhile."""
    for folder, _, names in os.walk(inbox):
        for name in names:
            if name.endswith(".yaml") and not name.startswith(".") and name != RECIPE:
                yield Path(folder, name)


def recipe_pictures(inbox: Path, known: set[str]) -> Iterator[str]:
    """Pictures and films of recipes that are no jobs yet, or in a claim in flight; by their stems.

    One that is kept has a note once it is claimed. A claim of a `known` job is a spare copy.
    """
    seen: set[int] = set()
    for folder, mode in RECIPE_FOLDERS.items():
        claims = [] if mode == "keep" else inbox.glob(f"{CLAIMS}/2*/.{mode}/{folder}/job-*")
        paths = [path for path in claims if path.relative_to(inbox).parts[1] not in known]
        for path in [*inbox.glob(f"{folder}/job-*"), *paths]:
            inode = path.stat().st_ino
            if inode not in seen and (mode != "keep" or not _is_claimed(inbox, path, known)):
                yield path.stem
            seen.add(inode)


def _is_claimed(inbox: Path, path: Path, known: set[str]) -> bool:
    """Whether the note of a picture that is kept is taken, and by no claim in flight."""
    name = Path(path.parent.name, f"{hashlib.sha256(path.read_bytes()).hexdigest()}.json")
    if not (inbox / CLAIMS / MADE / name).exists():
        return False
    claims = inbox.glob(f"{CLAIMS}/2*/.made/{name}")
    return all(claim.relative_to(inbox).parts[1] in known for claim in claims)


def has_entries(folder: Path) -> bool:
    """Whether there is anything in a folder, or was a moment ago."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


def _holds_files(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.is_file(follow_symlinks=False) for entry in entries)


def _read_result(folder: Path) -> Result:
    """The result in a folder. Raises TornError and others for anything that is not whole."""
    reason = folder / "reason.json"
    if reason.exists():
        known = json.loads(reason.read_bytes())
        (sidecar,) = folder.glob("*.yaml")
        return Result(sidecar.stem, known["job"], known["code"])
    record = json.loads((folder / f"{folder.name}.json").read_bytes())
    if not (folder / f"{folder.name}.yaml").is_file():
        raise TornError("no sidecar")
    picture = folder / record["output"]["file"]
    if _sha256(picture) != record["output"]["sha256"]:
        raise TornError("the picture is not what its record says")
    colors, priority = tuple(shown_colors(picture)), record["settings"]["priority"]
    return Result(folder.name, record["job"], colors=colors, priority=priority)


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, or of a folder of frames."""
    if path.is_dir():
        return sha256_of_folder(Folder(path.parent), path.name)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_job(folder: Path) -> str:
    """The submission of a job folder whose inputs are whole."""
    job = json.loads((folder / "job.json").read_bytes())
    for given in job["inputs"]:
        if _sha256(folder / given["file"]) != given["sha256"]:
            raise TornError(f"{given['file']} is not what was claimed")
    return str(Path(job["sidecar"]).stem)


def _parsed(line: str) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError:
        return {}
    return event if isinstance(event, dict) else {}
