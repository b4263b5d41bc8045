"""One attempt at a film, in this process: frame by frame, and from where the last one ended."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict
from support.cinema import pictures, save_gif, save_style
from support.disk import Killed, StepFiles
from support.executors import ONE, make_config

from nstd.backend import Progress, Result, Task
from nstd.backend import Report as Tell
from nstd.documents.film import FilmSettings
from nstd.executors.contract import Assignment
from nstd.executors.worker import attempt as attempt_module
from nstd.executors.worker.attempts import make_attempt
from nstd.executors.worker.film_attempt import FilmAttempt
from nstd.queue.job import Ending, Input, Job, Outcome
from nstd.queue.paths import JobPaths
from nstd.queue.progress import Report
from nstd.queue.result import WorkerResult
from nstd.system.durable import Files

Work = Callable[[Task, Tell], Result]
FRAMES = 4
SOME = 9
"""The short form dies at every ninth step, from one that each run draws."""


class Options(BaseModel):
    """Has a budget, as the options of gatys."""

    model_config = ConfigDict(extra="forbid")
    budget: float | None = None
    long_term: bool = False
    strength: float = 0.5


class Fake:
    """A backend whose work is the test's."""

    name = "fake"
    size: int | None = None
    Options: type[BaseModel] = Options

    def __init__(self, work: Work, takes: frozenset[str]) -> None:
        self.work, self.takes = work, takes

    def run(self, task: Task, report: Tell) -> Result:
        """Do the test's work."""
        return self.work(task, report)


def carry(task: Task, report: Tell) -> Result:
    """Half of the content, half of the frame before."""
    pixels = task.options.strength * 2 * (1 - task.content)
    pixels = pixels - 0.01 * (task.styles[0].weight - 1)
    if task.earlier:
        known = task.earlier[0].certainty[:, :, None]
        pixels = pixels + known * (0.5 * task.earlier[0].pixels - 0.5 * pixels)
    report(Progress(step=3, steps=3, fraction=1.0, losses={"total": float(pixels.mean())}))
    return Result(pixels.astype(np.float32), seed=7, stopped="plateau")


class Bench:
    """A job folder with a GIF, and the attempts at it."""

    def __init__(self, folder: Path, frames: int = FRAMES) -> None:
        self.paths, self.reports = JobPaths(folder), list[Report]()
        folder.mkdir(parents=True)
        save_gif(folder / "content.gif", pictures(frames), durations=(80, 120))
        save_style(folder / "style-1.png")
        self.job = Job(
            id="20261128-220000-00000a",
            name="clip",
            folder="",
            sidecar="clip.yaml",
            backend="fake",
            format="gif",
            film=FilmSettings(kind="gif"),
            submitted=0.0,
            claimed=0.0,
            inputs=(
                Input(role="content", source="clip.gif", file="content.gif", sha256="", bytes=1),
                Input(
                    role="style", style=0, source="s.png", file="style-1.png", sha256="", bytes=1
                ),
            ),
        )
        self.wanted: str | None = None

    def change(self, **fields: Any) -> None:
        """Change the job."""
        self.job = self.job.model_copy(update=fields)

    def run(
        self, work: Work = carry, files: Files | None = None, takes: tuple[str, ...] = ("earlier",)
    ) -> Outcome:
        """One attempt."""
        config = make_config(self.paths.folder.parent)
        assignment = Assignment.of(self.job, self.paths.folder, ONE[0], "cpu", config)
        attempt = make_attempt(
            assignment, files or Files(), self.reports.append, lambda: self.wanted
        )
        assert isinstance(attempt, FilmAttempt)
        return attempt.run(lambda name: Fake(work, frozenset(takes)))

    def fade(self, *, fps: float = 2, seconds: float = 4, **fields: Any) -> None:
        """Make a film of a picture, from the style that fades into another at 1 s to 2 s."""
        pictures(1)[0].save(self.paths.folder / "content.png")
        save_style(self.paths.folder / "style-2.png", (20, 16))
        content, style = self.job.inputs
        content = content.model_copy(update={"source": "still.png", "file": "content.png"})
        other = {"style": 1, "source": "t.png", "file": "style-2.png", "begin": 1.0}
        styles = style.model_copy(update={"end": 2.0}), style.model_copy(update=other)
        film = FilmSettings(kind="still", seconds=seconds, fps=fps)
        self.change(inputs=(content, *styles), film=film, **fields)

    @property
    def table(self) -> list[dict[str, str]]:
        """The lines of the table of frames."""
        return list(csv.DictReader(self.paths.frames_table.read_text().splitlines()))

    @property
    def result(self) -> WorkerResult:
        """What the last attempt has written."""
        return WorkerResult.model_validate_json(self.paths.result.read_bytes())

    @property
    def film(self) -> Path:
        """The file of the result."""
        return self.paths.picture(self.job)

    def stored(self) -> list[str]:
        """The SHA-256 of each stored frame."""
        frames = sorted(self.paths.frames.glob("*.png"))
        return [hashlib.sha256(path.read_bytes()).hexdigest() for path in frames]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """One film."""
    return Bench(tmp_path / "clip")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A film that was made without a break."""
    bench = Bench(tmp_path_factory.mktemp("whole") / "clip")
    assert bench.run().ending is Ending.FINISHED
    return bench


def same(task: Task, report: Tell) -> Result:
    """The content comes back."""
    return Result(task.content)


def test_a_film_has_all_frames_and_times_and_its_record(whole: Bench) -> None:
    """Frames and time stamps are those of the content; the record has the losses of each frame."""
    with Image.open(whole.film) as film:
        assert (film.format, getattr(film, "n_frames", 1), film.size) == ("GIF", FRAMES, (48, 32))
        durations = []
        for number in range(FRAMES):
            film.seek(number)
            durations.append(film.info["duration"])
    assert durations == [80, 120, 80, 120]
    result = whole.result
    assert (result.picture.frames, result.picture.seconds) == (FRAMES, 0.4)
    assert result.picture.sha256 == hashlib.sha256(whole.film.read_bytes()).hexdigest()
    assert [point["step"] for point in result.losses] == [1, 2, 3, 4]
    assert (result.steps, result.seed, result.stopped) == (3 * FRAMES, 7, "plateau")
    rows = whole.table
    assert [float(row["time"]) for row in rows] == [0, 0.08, 0.2, 0.28]
    assert all(float(row["total"]) > 0 for row in rows)
    with Image.open(whole.paths.sheet) as sheet:
        sheet.load()


def test_each_frame_knows_the_one_before_as_it_is_stored(bench: Bench) -> None:
    """In an unbroken run, too: of 16 bits."""
    seen: list[Task] = []

    def look(task: Task, report: Tell) -> Result:
        seen.append(task)
        return carry(task, report)

    assert bench.run(look).ending is Ending.FINISHED
    assert [len(task.earlier) for task in seen] == [0, 1, 1, 1]
    assert all(task.film and task.init is None for task in seen)
    for task in seen[1:]:
        values = task.earlier[0].pixels
        assert values.shape == task.content.shape


@pytest.mark.parametrize("stride", [SOME, pytest.param(1, marks=pytest.mark.slow)])
def test_an_attempt_that_dies_at_any_step_goes_on_to_the_same_film(
    tmp_path: Path, whole: Bench, stride: int
) -> None:
    """Bit for bit, and no frame is made twice that was stored."""
    for at in range(random.randint(1, stride), 1000, stride):
        bench, files = Bench(tmp_path / f"{at}"), StepFiles()
        files.on_step = lambda step, _, at=at: Killed() if step == at else None  # type: ignore[misc]
        made: list[int] = []

        def work(task: Task, report: Tell, made: list[int] = made) -> Result:
            made.append(1)
            return carry(task, report)

        outcome = bench.run(work, files)
        if outcome.ending is Ending.FINISHED:
            assert at > 30, "too few steps to be true"
            return
        stored = len(bench.stored())
        made.clear()
        assert bench.run(work).ending is Ending.FINISHED, f"after a death at step {at}"
        assert len(made) == FRAMES - stored
        assert bench.stored() == whole.stored()
        assert bench.film.read_bytes() == whole.film.read_bytes(), f"after a death at step {at}"


@pytest.mark.parametrize("name", [".000003.png.tmp", ".picture.gif.tmp", "frames.csv"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
def test_a_disk_that_fails_ends_the_attempt_and_costs_no_frame(
    bench: Bench, whole: Bench, number: int, name: str
) -> None:
    """Where a frame is written, and where the film itself is."""
    files = StepFiles()
    error = OSError(number, os.strerror(number), "somewhere")
    files.on_step = lambda *_: error if files.log[-1][1].name == name else None
    outcome = bench.run(files=files)
    assert outcome.failure is not None
    assert outcome.failure.code == ("disk_full" if number == errno.ENOSPC else "io_error")
    assert bench.run().ending is Ending.FINISHED
    assert bench.film.read_bytes() == whole.film.read_bytes()


def test_a_film_without_room_on_the_disk_waits_or_is_refused_before_any_frame(
    bench: Bench, whole: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for what is missing alone, by the size of the frames that are there; one that the
    whole disk would not hold is refused with figures."""

    def with_disk(total: int, free: int) -> Outcome:
        disk = SimpleNamespace(total=total, free=free)
        monkeypatch.setattr("nstd.executors.worker.film_room.shutil.disk_usage", lambda path: disk)
        return bench.run()

    full = with_disk(10**9, 1000)
    assert full.failure is not None
    assert (full.failure.code, full.had_room) == ("disk_full", False)
    assert full.full_path == str(bench.paths.folder)
    assert "what is missing of clip.gif needs some" in bench.reports[-1].picture_notes[0]
    assert bench.stored() == []
    small = with_disk(1000, 1000)
    assert small.failure is not None
    assert small.failure.code == "picture_refused"
    assert "clip.gif: its 4 frames of 48 x 32 pixels need some" in small.failure.message
    sizes = [path.stat().st_size for path in sorted(whole.paths.frames.glob("*.png"))]
    needed = sum(sizes) + attempt_module.DISK_BYTES * 48 * 32
    shutil.copytree(whole.paths.frames, bench.paths.frames, dirs_exist_ok=True)
    for path in sorted(bench.paths.frames.glob("*.png"))[1:]:
        path.unlink()
    assert with_disk(10**9, sizes[0]).full_path == str(bench.paths.folder)
    assert with_disk(10**9, 2 * needed).ending is Ending.FINISHED
    assert bench.stored() == whole.stored()


def test_a_stored_frame_that_is_damaged_is_made_again(bench: Bench, whole: Bench) -> None:
    """The attempt that meets it fails as after a fault of the disk, and the next one mends it."""
    assert bench.run().ending is Ending.FINISHED
    bench.paths.result.unlink()
    bench.paths.frame(3).write_bytes(b"\x89PNG torn")
    outcome = bench.run()
    assert outcome.failure is not None
    assert outcome.failure.code == "io_error"
    assert bench.run().ending is Ending.FINISHED
    assert bench.film.read_bytes() == whole.film.read_bytes()


def test_a_request_to_stop_is_heard_in_the_middle_of_a_frame(bench: Bench, whole: Bench) -> None:
    """What is stored stays, and the next attempt makes the rest."""

    def stop(task: Task, report: Tell) -> Result:
        bench.wanted = "stop" if len(task.earlier) else None
        return carry(task, report)

    assert bench.run(stop).ending is Ending.STOPPED
    assert len(bench.stored()) == 1
    bench.wanted = None
    assert bench.run().ending is Ending.FINISHED
    assert bench.film.read_bytes() == whole.film.read_bytes()


def test_a_cancel_is_heard_while_the_film_is_read(bench: Bench) -> None:
    """Long before the first frame is made."""
    bench.wanted = "cancel"
    assert bench.run().ending is Ending.CANCELLED
    assert bench.stored() == []


def test_more_of_the_past_is_told_at_option_and_nothing_beyond_a_cut(tmp_path: Path) -> None:
    """One, two and four frames back; also where an attempt goes on in the middle."""
    bench = Bench(tmp_path / "clip")
    other = [Image.new("RGB", (48, 32), (20 * n, 30, 200)) for n in range(3)]
    save_gif(bench.paths.folder / "content.gif", [*pictures(6), *other])
    bench.change(options={"long_term": True})
    seen: list[int] = []

    def look(task: Task, report: Tell) -> Result:
        seen.append(len(task.earlier))
        return carry(task, report)

    assert bench.run(look).ending is Ending.FINISHED
    assert seen == [0, 1, 2, 2, 3, 3, 0, 1, 2]
    before = bench.stored()
    for number in range(6, 10):
        bench.paths.frame(number).unlink()
    bench.paths.result.unlink()
    seen.clear()
    assert bench.run(look).ending is Ending.FINISHED
    assert seen == [3, 0, 1, 2]
    assert bench.stored() == before


def test_a_picture_becomes_a_film_that_fades_from_style_to_style(bench: Bench) -> None:
    """Each frame has the weights and the strength of its time, and the table has them."""
    seen: list[Task] = []

    def look(task: Task, report: Tell) -> Result:
        seen.append(task)
        return carry(task, report)

    bench.fade(fps=4, seconds=4, options={"strength": {"1s": 0.2, "2s": 0.6}}, format="webp")
    assert bench.run(look).ending is Ending.FINISHED
    assert bench.result.picture.frames == 16
    assert bench.result.picture.seconds == 4
    rows, later = bench.table, [0.0] * 8
    assert [float(row["time"]) for row in rows] == [number / 4 for number in range(16)]
    fade = [0.25, 0.5, 0.75]
    assert [float(row["weight_1"]) for row in rows] == [1] * 5 + fade[::-1] + later
    assert [float(row["weight_2"]) for row in rows] == [0] * 5 + fade + [1] * 8
    assert [float(row["strength"]) for row in rows] == pytest.approx(
        [0.2] * 5 + [0.3, 0.4, 0.5] + [0.6] * 8
    )
    with Image.open(bench.film) as film:
        assert getattr(film, "n_frames", 1) == 16
    # before the fade nothing is made anew, and soon after it nothing any more
    made = [int(row["frame"]) for row in rows if int(row["steps"])]
    assert made == [1, *range(6, 16)]
    weights = [(0.75, 0.25), (0.5, 0.5), (0.25, 0.75)]
    assert [tuple(s.weight for s in task.styles) for task in seen] == [(1, 0), *weights] + [
        (0, 1)
    ] * 7
    assert [task.options.strength for task in seen[:5]] == pytest.approx([0.2, 0.3, 0.4, 0.5, 0.6])
    # a result counts for less, the more has changed since; a picture does not move
    known = [task.earlier[0].certainty for task in seen[1:]]
    assert all(mask.min() == mask.max() for mask in known)
    share = [float(mask.min()) for mask in known]
    assert share[:2] == pytest.approx([1 - 0.35 / 2, 1 - 0.525 / 2])
    assert share[3:] == sorted(share[3:])
    assert share[-1] > 0.99
    assert len(set(bench.stored()[:5])) == len(set(bench.stored()[14:])) == 1


def test_a_style_that_changes_at_once_begins_anew(bench: Bench) -> None:
    """As in the first frame of a scene; and what is the same for long is made once."""
    known: list[int] = []

    def look(task: Task, report: Tell) -> Result:
        known.append(len(task.earlier))
        return carry(task, report)

    bench.fade()
    content, one, two = bench.job.inputs
    bench.change(inputs=(content, one, two.model_copy(update={"begin": 2.0})))
    assert bench.run(look).ending is Ending.FINISHED
    assert known == [0, 0]


def test_a_backend_that_knows_no_films_gets_the_styles_of_each_frame(bench: Bench) -> None:
    """One whose weight is 0 is left out: the 20 lines of a plug-in take the first one."""
    seen: list[list[float]] = []

    def look(task: Task, report: Tell) -> Result:
        seen.append([task.options.strength, *(style.weight for style in task.styles)])
        return carry(task, report)

    bench.fade(options={"strength": {"0s": 0.6, "3s": 0}})
    assert bench.run(look, takes=()).ending is Ending.FINISHED
    assert [weights[1:] for weights in seen[:5]] == [[1], [1], [1], [0.5, 0.5], [1]]
    assert [weights[0] for weights in seen[:3]] == pytest.approx([0.6, 0.5, 0.4])


def test_an_attempt_at_a_fade_goes_on_to_the_same_frames(tmp_path: Path) -> None:
    """From each frame on, bit for bit, also where frames are the same as those before."""
    bench = Bench(tmp_path / "fade")
    bench.fade(fps=4, seconds=3)
    assert bench.run().ending is Ending.FINISHED
    stored, film = bench.stored(), bench.film.read_bytes()
    assert len(set(stored)) == 8
    for left in (4, 6, 10):
        bench.paths.result.unlink()
        for number in range(left + 1, 13):
            bench.paths.frame(number).unlink()
        assert bench.run().ending is Ending.FINISHED
        assert bench.stored() == stored, f"from frame {left + 1} on"
        assert bench.film.read_bytes() == film


def test_a_picture_that_does_not_change_is_made_once(bench: Bench) -> None:
    """And its budget is for the frames that are made."""
    budgets: list[float] = []

    def look(task: Task, report: Tell) -> Result:
        budgets.append(task.options.budget)
        return carry(task, report)

    bench.fade(options={"budget": 60.0})
    one, two, _ = bench.job.inputs
    bench.change(inputs=(one, two.model_copy(update={"end": None})))
    assert bench.run(look).ending is Ending.FINISHED
    assert budgets == [60.0]
    assert len(set(bench.stored())) == 1
    assert bench.result.picture.frames == 8
    assert bench.result.stopped == "plateau"


def test_times_beyond_the_film_are_noted_and_a_frame_without_a_style_is_refused(
    bench: Bench,
) -> None:
    """With the gap, when the film is open and its length is known."""
    bench.fade(options={"strength": {"0s": 0.2, "1m": 0.4}})
    assert bench.run().ending is Ending.FINISHED
    assert bench.result.notes == ("the film ends at 4s, before strength at 1m",)
    bench.change(inputs=bench.job.inputs[:2])
    outcome = bench.run()
    assert outcome.failure is not None
    assert outcome.failure.code == "sidecar_invalid"
    assert "there is no style from 2s to the end of the film" in outcome.failure.message
    assert "shown at 3.5s" in outcome.failure.message


def test_a_budget_is_for_the_whole_film(bench: Bench) -> None:
    """The first frame of a scene gets more; what was used by an earlier attempt is gone."""
    bench.change(options={"budget": 70.0})
    budgets: list[float] = []

    def look(task: Task, report: Tell) -> Result:
        budgets.append(task.options.budget)
        return carry(task, report)

    assert bench.run(look).ending is Ending.FINISHED
    assert budgets[0] == pytest.approx(40.0, abs=2)
    assert all(budgets[number] > 10 for number in (1, 2, 3))
    for path in sorted(bench.paths.frames.glob("*"))[-3:]:
        path.unlink()
    facts = json.loads(bench.paths.frame_facts(1).read_text())
    bench.paths.frame_facts(1).write_text(json.dumps(facts | {"seconds": 69.0}))
    bench.paths.result.unlink()
    budgets.clear()
    assert bench.run(look).ending is Ending.FINISHED
    assert sum(budgets) < 5


def test_reports_name_the_frame(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that its time limit can be its own, and people see how far it is."""
    monkeypatch.setattr("nstd.executors.worker.attempt.REPORT_EVERY", 0.0)
    monkeypatch.setattr("nstd.executors.worker.film_attempt.REPORT_EVERY", 0.0)
    assert bench.run().ending is Ending.FINISHED
    told = [(report.frame, report.frames) for report in bench.reports]
    assert set(told) >= {(number, FRAMES) for number in range(1, FRAMES + 1)}
    made = [report.fraction for report in bench.reports if report.step]
    assert made == sorted(made)


def test_a_backend_that_knows_no_films_makes_each_frame_by_itself(bench: Bench) -> None:
    """It is told nothing of other frames."""
    seen: list[Task] = []

    def look(task: Task, report: Tell) -> Result:
        seen.append(task)
        return same(task, report)

    assert bench.run(look, takes=()).ending is Ending.FINISHED
    assert len(seen) == FRAMES
    assert not any(task.earlier or task.series for task in seen)


def test_a_series_is_a_sample_of_the_film(bench: Bench) -> None:
    """The same for each frame."""
    seen: list[Task] = []

    def look(task: Task, report: Tell) -> Result:
        seen.append(task)
        return same(task, report)

    assert bench.run(look, takes=("series",)).ending is Ending.FINISHED
    assert all(task.series is seen[0].series for task in seen)
    assert len(seen[0].series) == FRAMES


def test_chosen_frames_alone_are_made(bench: Bench) -> None:
    """By their numbers, and every second one."""
    bench.change(film=FilmSettings(kind="gif", frames="2..4", every=2))
    assert bench.run(same).ending is Ending.FINISHED
    assert bench.result.picture.frames == 2
    rows = bench.table
    assert [row["source_frame"] for row in rows] == ["2", "4"]


def test_a_folder_of_frames_is_made_and_remade(bench: Bench) -> None:
    """Its digest is that of all files; what an attempt that was killed has left does no harm."""
    bench.change(format="frames")
    assert bench.run(same).ending is Ending.FINISHED
    first = bench.result.picture
    assert len(list(bench.film.iterdir())) == FRAMES
    bench.paths.result.unlink()
    assert bench.run(same).ending is Ending.FINISHED
    assert bench.result.picture == first


def test_a_film_over_a_limit_is_refused_by_its_name_in_the_sidecar(bench: Bench) -> None:
    """Before anything is made."""
    bench.change(film=FilmSettings(kind="gif", frames="2..9000"))
    outcome = bench.run(same)
    assert bench.stored() == [] or outcome.ending is Ending.FINISHED
    bench.paths.folder.joinpath("content.gif").write_bytes(b"GIF89a torn")
    outcome = bench.run(same)
    assert outcome.failure is not None
    assert outcome.failure.code == "picture_unreadable"
    assert "clip.gif" in outcome.failure.message
    assert "content.gif" not in outcome.failure.message
