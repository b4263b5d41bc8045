"""Pictures leave the inbox when their job is done and no sidecar needs them; not before."""

from __future__ import annotations

import shutil

import pytest
from support.disk import names_in
from support.playground import Playground, wait_for


def pictures(playground: Playground) -> list[str]:
    """The pictures that lie in the inbox."""
    return sorted(path.name for path in playground.inbox.rglob("*.png"))


@pytest.mark.parametrize(("action", "left"), [("keep", 2), ("archive", 0), ("delete", 0)])
def test_pictures_are_kept_archived_or_deleted(
    playground: Playground, action: str, left: int
) -> None:
    """As the config says; the archive mirrors the inbox."""
    playground.configure(jobs={"pictures": action})
    playground.pair("sub/beach")
    data = (playground.inbox / "sub" / "content.png").read_bytes()
    assert playground.once().returncode == 0
    assert len(pictures(playground)) == left
    archive = playground.outbox / "archive"
    assert archive.exists() == (action == "archive")
    if action == "archive":
        assert names_in(archive / "sub") == ["content.png", "style.png"]
        assert (archive / "sub" / "content.png").read_bytes() == data
    told = playground.events("pictures.cleared")
    assert [sorted(line["files"]) for line in told] == (
        [] if left else [["sub/content.png", "sub/style.png"]]
    )


def test_the_archive_overwrites_nothing(playground: Playground) -> None:
    """A second picture of the same name gets a number; the same bytes are kept once."""
    playground.configure(jobs={"pictures": "archive"})
    for color in ("teal", "orange"):
        playground.picture("content.png", color=color)
        playground.pair("beach")
        assert playground.once().returncode == 0
    assert names_in(playground.outbox / "archive") == [
        "content-2.png", "content.png", "style.png",
    ]  # fmt: skip


def test_a_picture_that_a_waiting_sidecar_names_stays(playground: Playground) -> None:
    """Until that one is done as well: here it waits for its other picture."""
    playground.configure(jobs={"pictures": "delete"})
    playground.pair("beach")
    playground.sidecar("later", style="late.png")
    daemon = playground.start()
    wait_for(lambda: playground.events("job.finished"))
    wait_for(lambda: pictures(playground) == ["content.png"])
    playground.picture("late.png")
    wait_for(lambda: pictures(playground) == [])
    assert len(playground.events("job.finished")) == 2
    playground.stop(daemon)


def test_a_picture_of_a_failed_job_stays(playground: Playground) -> None:
    """Somebody will want to try again."""
    playground.configure(jobs={"pictures": "delete"})
    playground.pair("beach", options={"act": "raise"})
    playground.once()
    assert playground.events("job.failed")
    assert len(pictures(playground)) == 2


def test_a_picture_that_was_replaced_meanwhile_stays(playground: Playground) -> None:
    """It is not the one that the job was made of."""
    playground.configure(jobs={"pictures": "delete"})
    playground.pair("beach", options={"steps": 20, "pause": 0.1})
    daemon = playground.start()
    wait_for(lambda: playground.events("job.started"))
    playground.picture("content.png", color="red")
    wait_for(lambda: playground.events("pictures.cleared"))
    assert pictures(playground) == ["content.png"]
    playground.stop(daemon)


@pytest.mark.parametrize("action", ["archive", "delete"])
def test_a_new_file_of_the_same_name_and_bytes_stays_for_its_own_sidecar(
    playground: Playground, action: str
) -> None:
    """Only the very file that was claimed goes: the next sidecar finds what was dropped for it."""
    playground.configure(jobs={"pictures": action})
    playground.pair("first", options={"steps": 20, "pause": 0.1})
    daemon = playground.start()
    wait_for(lambda: playground.events("job.started"))
    for name in ("content.png", "style.png"):
        dropped = playground.inbox / name
        again = playground.folder / name
        again.write_bytes(dropped.read_bytes())
        shutil.copystat(dropped, again)
        again.rename(dropped)
    wait_for(lambda: playground.events("job.finished", name="first"))
    playground.sidecar("second")
    wait_for(lambda: playground.events("job.finished", name="second"))
    wait_for(lambda: pictures(playground) == [])
    playground.stop(daemon)
    assert len(playground.events("pictures.cleared")) == 1


def test_a_picture_of_the_library_stays(playground: Playground) -> None:
    """Only the inbox is cleared."""
    playground.configure(jobs={"pictures": "delete"})
    playground.picture("content.png")
    playground.picture("starry.png").rename(playground.styles / "starry.png")
    playground.sidecar("beach", style="starry")
    playground.once()
    assert playground.events("job.finished")
    assert names_in(playground.styles) == ["starry.png"]
    assert pictures(playground) == []
