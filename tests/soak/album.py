"""`python -m tests.soak.album`: what a folder with a recipe costs in which all pictures are made.

One look at it, and two real daemons that share it: what they take while nothing happens, and
whether each picture that comes then is made once.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
from PIL import Image
from support.playground import Playground, finished, wait_for

from nstd.client.init import make_root
from nstd.documents.config import Config
from nstd.intake.inbox import Inbox
from nstd.intake.made_note import MadeNote
from nstd.system.nofollow import Signature
from soak.scan import SETTLE, timed

KEPT = (1_000, 10_000)
SHARED = 10_000
ALBUM = "album"
IDLE = 60.0
"""Seconds for which the two daemons are watched while nothing happens."""
NEW = 40


def fill_album(inbox: Path, kept: int) -> None:
    """Put a folder with a recipe into an inbox, in which so many pictures are made and kept."""
    folder, notes = inbox / ALBUM, inbox / ".nstd" / "made" / ALBUM
    for path in (folder, notes):
        path.mkdir(parents=True)
    (folder / "recipe.yaml").write_text("style: starry.png\n")
    for number in range(kept):
        path = folder / f"IMG_{number:06}.jpg"
        path.write_text(path.name)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        note = MadeNote(
            folder=ALBUM,
            sha256=sha256,
            job="20261128-120000-abcdef",
            recipe=sha256,
            made=path.stat().st_mtime,
            files={path.name: Signature.of(path.stat())},
        )
        (notes / f"{sha256}.json").write_text(note.model_dump_json())


def measure_kept(kept: int) -> tuple[list[float], float, float]:
    """CPU seconds of the first look, which reads the notes, and of a later one; MiB in memory and
    on disk."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_root(root)
        (root / "styles" / "starry.png").touch()
        fill_album(root / "inbox", kept)
        inbox = Inbox(Config.at(root, watch={"settle": SETTLE}))
        memory, seconds = psutil.Process().memory_info().rss, list[float]()
        clock = itertools.count(0, SETTLE)
        with timed(seconds):
            inbox.ready(next(clock))
        inbox.ready(next(clock))
        with timed(seconds):
            ready = inbox.ready(next(clock))
        if ready or inbox.pending:
            sys.exit(f"{len(ready)} pictures that are made were found ready")
        notes = Path(folder, "inbox", ".nstd").rglob("*.json")
        on_disk = sum(path.stat().st_blocks * 512 for path in notes)
        return seconds, (psutil.Process().memory_info().rss - memory) / 2**20, on_disk / 2**20


def share(kept: int) -> None:
    """Two daemons at one inbox: print what they take, then drop pictures; each is made once."""
    with tempfile.TemporaryDirectory() as folder:
        grounds = [make_ground(Path(folder, name), folder) for name in ("one", "other")]
        inbox = grounds[0].inbox
        fill_album(inbox, kept)
        try:
            daemons = [psutil.Process(ground.start().pid) for ground in grounds]
            time.sleep(IDLE / 2)  # the first looks
            before = [spent(daemon) for daemon in daemons]
            time.sleep(IDLE)
            for name, daemon, since in zip(("one", "other"), daemons, before, strict=True):
                cpu, memory = spent(daemon) - since, daemon.memory_info().rss / 2**20
                print(f"{name:>8} {cpu:>7.2f} s in {IDLE:.0f} s {memory:>5.0f} MiB", flush=True)
            names = drop(inbox / ALBUM)
            wait_for(lambda: set.union(*map(finished, grounds)) == names, 600, "all pictures")
            lines = [line for ground in grounds for line in ground.events("job.finished")]
            times = Counter(line["name"] for line in lines)
            shares = " and ".join(str(len(finished(ground))) for ground in grounds)
            twice = sum(count > 1 for count in times.values())
            print(f"{len(names)} new pictures: {shares} made, {twice} of them twice")
            if twice or len(lines) != len(names):
                sys.exit("some were made twice, or others as well")
        finally:
            for ground in grounds:
                ground.close()


def make_ground(place: Path, folder: str) -> Playground:
    """A root whose inbox is the one that is shared."""
    place.mkdir()
    inbox = Path(folder, "inbox")
    inbox.mkdir(exist_ok=True)
    settings = {"watch": {"settle": "1s", "rescan": "10s"}, "folders": {"inbox": str(inbox)}}
    ground = Playground(place, **settings)
    ground.inbox = inbox
    Image.new("RGB", (16, 12), "orange").save(ground.styles / "starry.png")
    return ground


def spent(process: psutil.Process) -> float:
    """The CPU seconds of a daemon; its workers have not begun."""
    times = process.cpu_times()
    return times.user + times.system


def drop(folder: Path) -> set[str]:
    """Put new pictures into the album; their names."""
    names = {f"new-{number:02}" for number in range(NEW)}
    for number, name in enumerate(sorted(names)):
        Image.new("RGB", (16, 12), (number, 9, 9)).save(folder / f"{name}.png")
    return names


def main() -> None:
    """Print the tables."""
    print(f"{'kept':>8} {'first':>9} {'later':>9} {'memory':>9} {'notes':>9}")
    for kept in KEPT:
        seconds, memory, notes = measure_kept(kept)
        shown = " ".join(f"{each:>7.3f} s" for each in seconds)
        print(f"{kept:>8} {shown} {memory:>5.0f} MiB {notes:>5.0f} MiB", flush=True)
    print(f"two daemons at one inbox with {SHARED} kept pictures, while nothing happens")
    share(SHARED)


if __name__ == "__main__":
    main()
