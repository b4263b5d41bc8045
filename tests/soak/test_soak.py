"""The short form of the storm, and a judge that sees what is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from support import CHECKOUT
from support.playground import Playground

from soak.dropper import Submission
from soak.films import colors_of_frames
from soak.judge import Judge
from soak.operator import Asked, FolderHeld
from soak.promises import broken_promises
from soak.report import WRONGS, Report
from soak.schedule import schedule

GOOD = {"beach": Submission("beach", "good", (0, 128, 128))}


def storm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command that people run."""
    return subprocess.run(
        [sys.executable, "-m", "tests.soak", *arguments],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_short_storm_loses_doubles_and_tears_nothing(
    record_property: Callable[[str, object], None],
) -> None:
    """The real daemon, for less than a minute; this seed has every blow among its first 40."""
    done = storm("--seed", "14038", "--kills", "15", "--minutes", "0.7")
    record_property("figures", done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = dict(line.rsplit(None, 1) for line in done.stdout.splitlines())
    for name in ("jobs", "daemon kills", "worker kills"):
        assert int(figures[name]) > 0
    for name in WRONGS:
        assert figures[name] == "0"


def test_a_seed_replays_its_schedule() -> None:
    """Another seed is another storm."""
    first, again, other = (list(islice(schedule(seed), 100)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def judged(ground: Playground, gone: Path | None = None) -> Report:
    """What a judge says who knows of one good submission."""
    report = Report(seed=0)
    report.judge(Judge(ground.inbox, ground.work, ground.outbox, gone), GOOD)
    return report


@pytest.fixture
def done(playground: Playground) -> Playground:
    """A root whose only job is done."""
    playground.pair("beach")
    assert playground.once().returncode == 0
    return playground


def test_a_judge_is_content_with_a_job_that_is_done(done: Playground) -> None:
    """So that what the others find is theirs."""
    report = judged(done)
    assert report.is_good, str(report)
    assert report.ends == {"finished": 1}


def test_a_film_is_its_own_only_with_all_of_its_frames_in_order() -> None:
    """To the level, or nearly so where it came through H.264."""
    gif, mp4 = (Submission("a", "film", (9, 200, 30), suffix) for suffix in (".gif", ".mp4"))
    colors = colors_of_frames(gif.color)
    off = [(red + 3, green, blue) for red, green, blue in colors]
    assert gif.is_shown_by(colors)
    assert mp4.is_shown_by(off)
    for wrong in (off, colors[:-1], [*colors[1:], colors[0]], [*colors, colors[-1]]):
        assert not gif.is_shown_by(wrong)


def lose(ground: Playground) -> None:
    shutil.rmtree(ground.outbox / "beach")


def repeat_last_word(ground: Playground, times: int) -> None:
    log = ground.outbox / "logs" / "nstd.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(x * times if "job.finished" in x else x for x in lines))


def forget(ground: Playground) -> None:
    repeat_last_word(ground, 0)


def double(ground: Playground) -> None:
    shutil.copytree(ground.outbox / "beach", ground.outbox / "beach-2")
    for path in (ground.outbox / "beach-2").iterdir():
        path.rename(path.with_name(path.name.replace("beach", "beach-2")))
    record = ground.outbox / "beach-2" / "beach-2.json"
    record.write_text(record.read_text().replace("beach.png", "beach-2.png"))


def tell_twice(ground: Playground) -> None:
    repeat_last_word(ground, 2)


def drop_again(ground: Playground) -> None:
    shutil.copy(ground.outbox / "beach" / "beach.yaml", ground.inbox)


def tear_picture(ground: Playground) -> None:
    path = ground.outbox / "beach" / "beach.png"
    path.write_bytes(path.read_bytes()[:-20])


def take_record(ground: Playground) -> None:
    (ground.outbox / "beach" / "beach.json").unlink()


def tear_input(ground: Playground) -> None:
    folder = ground.work / "20260101-000000-abcdef"
    folder.mkdir()
    given = [{"file": "content.png", "sha256": "0" * 64}]
    (folder / "job.json").write_text(json.dumps({"sidecar": "beach.yaml", "inputs": given}))
    (folder / "content.png").touch()


def stumble(ground: Playground) -> None:
    with (ground.outbox / "logs" / "nstd.jsonl").open("a") as log:
        log.write('{"event": "daemon.er\n')  # cut off by a full disk
        log.write('{"event": "daemon.error", "error": "KeyError()", "traceback": "..."}\n')


def leave(ground: Playground) -> None:
    (ground.outbox / ".staging" / "rest").mkdir()


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        (lose, "lost"),
        (forget, "lost"),
        (double, "doubled"),
        (tell_twice, "doubled"),
        (drop_again, "doubled"),
        (tear_picture, "torn"),
        (take_record, "torn"),
        (tear_input, "torn"),
        (leave, "left over"),
        (stumble, "bugs"),
    ],
)
def test_a_judge_sees_what_is_wrong(
    done: Playground, harm: Callable[[Playground], None], found: str
) -> None:
    """Each kind of harm by its name."""
    harm(done)
    report = judged(done)
    assert report.wrong[found], str(report)


@pytest.mark.parametrize("on_its_way", [".expired/1-0123456789ab/beach", ".expired/beach.done/x"])
def test_a_judge_finds_a_result_that_has_expired_and_counts_it_once(
    done: Playground, on_its_way: str
) -> None:
    """Also while it is copied; in the outbox and elsewhere at once, it is there twice."""
    gone = done.folder / "gone"
    shutil.copytree(done.outbox / "beach", gone / "beach")
    assert judged(done, gone).wrong["doubled"]
    place = done.outbox / on_its_way
    place.parent.mkdir(parents=True)
    (done.outbox / "beach").rename(place)
    report = judged(done, gone)
    assert not report.wrong["doubled"]
    assert report.wrong["left over"]
    shutil.rmtree(done.outbox / ".expired")
    assert judged(done, gone).is_good
    shutil.rmtree(gone / "beach")
    assert judged(done, gone).wrong["lost"]


def test_a_judge_sees_what_waits_for_ever(playground: Playground) -> None:
    """When all should have ended."""
    playground.pair("beach")
    assert judged(playground).wrong["stuck"]


def line(second: int, event: str, **fields: Any) -> dict[str, Any]:
    """A line of the log, written at that second."""
    when = datetime.fromtimestamp(second, UTC).isoformat()
    return {"timestamp": when, "event": event, "job": "j1", **fields}


CLAIMED = line(10, "job.claimed", name="beach", sidecar="kept/beach.yaml")
STARTED = line(50, "job.started")
HELD = line(20, "job.changed", held=True, priority=50)
PAUSED = line(20, "starts.paused", cause="person")
CLOSED = line(20, "starts.paused", cause="schedule", until=line(90, "")["timestamp"])


@pytest.mark.parametrize(
    ("lines", "excuses", "found"),
    [
        ([HELD], [Asked(30, "release", "beach")], "too early"),
        ([HELD], [line(30, "job.changed", held=False, priority=50)], "too early"),
        (
            [line(5, "sidecar.changed", sidecar="kept/beach.yaml", held=True)],
            [Asked(30, "inbox")],
            "too early",
        ),
        ([PAUSED], [Asked(30, "resume")], "too early"),
        ([PAUSED], [line(30, "starts.resumed", cause="person")], "too early"),
        ([CLOSED], [Asked(30, "open")], "too early"),
        (
            [CLOSED, CLOSED | {"timestamp": line(40, "")["timestamp"]}],  # killed before it read it
            [Asked(30, "open")],
            "too early",
        ),
        (
            [line(20, "job.changed", held=False, priority=70)],
            [Asked(30, "priority", "beach", "50")],
            "mistaken",
        ),
    ],
)
def test_what_was_promised_to_the_operator_is_held_against_the_log(
    lines: list[dict[str, Any]], excuses: list[Any], found: str
) -> None:
    """What started too early is found; nothing, where somebody had asked for it."""

    def broken(asked: list[Asked], more: list[dict[str, Any]]) -> list[str]:
        told = [CLAIMED, STARTED, *lines, *more]
        return [each.kind for each in broken_promises(told, asked, [], {"beach": 50})]

    assert broken([Asked(30, "release", "pier")], []) == [found]
    asked = [each for each in excuses if isinstance(each, Asked)]
    assert broken(asked, [each for each in excuses if isinstance(each, dict)]) == []


def test_a_picture_that_is_claimed_in_a_folder_that_is_held_is_found() -> None:
    """Between the moment in which the request was carried out and the release."""
    claimed = line(10, "job.claimed", name="job-000001", sidecar="kept/job-000001.yaml")
    held = [FolderHeld("kept", 5, 15), FolderHeld("archived", 5, 15)]
    (broken,) = broken_promises([claimed], [], held, {})
    assert (broken.kind, broken.of) == ("too early", "job-000001")
    assert not list(broken_promises([claimed], [], [FolderHeld("kept", 11, 15)], {}))
