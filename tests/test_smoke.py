"""The straight line, from a dropped pair to a picture."""

from __future__ import annotations

from support import Playground


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
    }
    assert playground.record("beach")["settings"]["backend"] == "puppet"
    assert [line["output"] for line in playground.events("job.finished")] == ["beach"]
    assert not list(playground.inbox.glob("*.yaml"))
    assert not list((playground.inbox / ".nstd").iterdir())
