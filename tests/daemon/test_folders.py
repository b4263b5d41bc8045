"""Folders with a recipe, and jobs beside them, in a daemon that runs."""

from __future__ import annotations

import os
import signal

from support.playground import Playground, finished, wait_for


def fill(playground: Playground, count: int, text: str = "style: s.png\n") -> set[str]:
    """A folder with a recipe and so many pictures; the names of their jobs."""
    playground.picture("starry/s.png", color="orange")
    for number in range(count):
        playground.picture(f"starry/photo-{number:03}.png", color=f"rgb({number},0,0)")
    (playground.inbox / "starry" / "recipe.yaml").write_text(text)
    return {f"photo-{number:03}" for number in range(count)}


def test_a_folder_of_many_does_not_starve_a_sidecar_beside_it(playground: Playground) -> None:
    """Though all have the same priority, and the folder was there first."""
    playground.configure(jobs={"queue": 5})
    names = fill(playground, 60)
    process = playground.start()
    wait_for(lambda: playground.ended() > 1, what="the first pictures")
    playground.pair("beach")
    wait_for(lambda: "beach" in finished(playground), what="the sidecar")
    assert len(finished(playground) & names) < 50  # some are made while it arrives
    assert playground.stop(process) == 0


def test_a_daemon_that_is_killed_makes_each_picture_once(playground: Playground) -> None:
    """Again and again in the middle of it, and with a mistake in the recipe in between."""
    names = fill(playground, 12)
    path = playground.inbox / "starry" / "recipe.yaml"
    for number in range(3):
        process = playground.start()
        wait_for(lambda n=number: playground.ended() > 2 * n, what="some pictures")  # type: ignore[misc]
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=60)
    path.write_text("style: s.pn\n")
    assert playground.once().returncode == 0
    path.write_text("style: s.png\n")
    assert playground.once().returncode == 0
    assert playground.once().returncode == 0
    assert finished(playground) == names
    assert playground.ended() == len(names)
