"""The straight line, from a dropped pair to a picture."""

from __future__ import annotations

import json

from PIL import Image
from support.playground import Playground, wait_for


def test_a_dropped_pair_becomes_a_picture_with_its_record(playground: Playground) -> None:
    """`run --once` works off the inbox, publishes whole folders and leaves nothing behind."""
    playground.pair("beach")
    done = playground.once()
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (playground.outbox / "beach").iterdir()} == {
        "beach.png",
        "beach.json",
        "beach.yaml",
        "beach.log",
        "preview",
    }
    assert playground.record("beach")["settings"]["backend"] == "puppet"
    assert [line["output"] for line in playground.events("job.finished")] == ["beach"]
    assert not list(playground.inbox.glob("*.yaml"))
    assert not list((playground.inbox / ".nstd").iterdir())


def test_a_running_job_shows_its_progress_and_a_preview(playground: Playground) -> None:
    """In its work folder, for `nstd status` and for people."""
    playground.start()
    playground.pair("beach", options={"steps": 4000, "pause": 0.02})
    wait_for(lambda: list(playground.work.glob("*/preview.jpg")))
    (folder,) = (path.parent for path in playground.work.glob("*/preview.jpg"))
    with Image.open(folder / "preview.jpg") as preview:
        preview.load()
    noted = json.loads((folder / "progress.json").read_text())
    assert 0 < noted["step"] < noted["steps"] == 4000
    assert noted["losses"]["total"] > 0
    assert noted["slot"] == "cpu/0"
