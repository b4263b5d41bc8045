"""One attempt, in this process: what it makes, what it tells, and what it makes of errors."""

from __future__ import annotations

import errno
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import BaseModel, ConfigDict, model_validator
from support.executors import ONE, make_config, make_job

from nstd.backend import Interrupted, Progress, Result, Style, Task
from nstd.backend import Report as Tell
from nstd.errors import BackendError
from nstd.executors.contract import Assignment
from nstd.executors.worker import attempt as attempt_module
from nstd.executors.worker import provenance
from nstd.executors.worker.attempt import Attempt
from nstd.images.encode import read_recipe
from nstd.queue.job import Ending, Failure, Job, Outcome
from nstd.queue.paths import JobPaths
from nstd.queue.progress import Report
from nstd.queue.result import WorkerResult
from nstd.system.durable import Files

Work = Callable[[Task, Tell], Any]


class Options(BaseModel):
    """Options that are refused only where `here` is set, as in a worker."""

    model_config = ConfigDict(extra="forbid")
    level: int = 1
    here: bool = False

    @model_validator(mode="after")
    def only_here(self) -> Options:
        if self.here:
            raise ValueError("this machine cannot do that")
        return self


class Fake:
    """A backend whose work is the test's."""

    name = "fake"
    size: int | None = None
    Options: type[BaseModel] = Options

    def __init__(self, work: Work) -> None:
        self.work = work

    def run(self, task: Task, report: Tell) -> Result:
        result: Result = self.work(task, report)
        return result


class Bench:
    """A job folder and the attempts at it."""

    def __init__(self, folder: Path) -> None:
        self.paths = JobPaths(folder)
        self.job = make_job(folder, "beach", "fake")
        self.wanted: str | None = None
        self.reports: list[Report] = []
        self.files = Files()

    def change(self, **fields: Any) -> Job:
        self.job = self.job.model_copy(update=fields)
        return self.job

    def run(self, work: Work) -> Outcome:
        config = make_config(self.paths.folder.parent)
        assignment = Assignment.of(self.job, self.paths.folder, ONE[0], "cpu", config)
        attempt = Attempt(assignment, self.files, self.reports.append, lambda: self.wanted)
        return attempt.run(lambda name: Fake(work))

    def fail(self, work: Work) -> Failure:
        outcome = self.run(work)
        assert outcome.ending is Ending.FAILED
        assert outcome.failure is not None
        assert not self.paths.result.exists()
        return outcome.failure

    def facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(self.paths.result.read_text())
        return facts


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "beach")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports, previews and checkpoints are due at every step."""
    monkeypatch.setattr(attempt_module, "REPORT_EVERY", 0.0)
    monkeypatch.setattr(attempt_module, "PREVIEW_EVERY", 0.0)


def same(task: Task, report: Tell) -> Result:
    """The content comes back."""
    report(Progress(step=1, steps=1, fraction=1.0, losses={"total": 0.5}))
    return Result(task.content)


def returning(value: Callable[[Task], Any]) -> Work:
    return lambda task, report: value(task)


def raising(error: BaseException) -> Work:
    def work(task: Task, report: Tell) -> Result:
        raise error

    return work


# What it makes


@pytest.mark.parametrize(
    ("enlarge", "size", "said"), [(False, (32, 24), None), (True, (64, 48), 64)]
)
def test_a_recipe_asks_for_no_larger_picture_than_was_made(
    bench: Bench, enlarge: bool, size: tuple[int, int], said: int | None
) -> None:
    """A default that the content did not reach would be a wish to enlarge it."""
    bench.change(size=64, enlarge=enlarge)
    assert bench.run(same).ending is Ending.FINISHED
    path = bench.paths.picture(bench.job)
    with Image.open(path) as picture:
        assert picture.size == size
    assert json.loads(read_recipe(path) or "")["output"]["size"] == said


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "tiff"])
def test_the_picture_has_its_format_and_recipe(
    bench: Bench, format: Literal["png", "jpg", "webp", "tiff"]
) -> None:
    """The recipe inside says what the sidecar and the config said."""
    bench.change(format=format, size=32, options={"level": 3})
    assert bench.run(same).ending is Ending.FINISHED
    path = bench.paths.picture(bench.job)
    with Image.open(path) as picture:
        picture.load()
        assert (picture.size, picture.format) == (
            (32, 24),
            {"jpg": "JPEG"}.get(format, format.upper()),
        )
    recipe = json.loads(read_recipe(path) or "")
    assert recipe["content"] == "beach.png"
    assert recipe["style"] == [{"image": "starry.png", "weight": 1.0, "scale": 1.0}]
    assert (recipe["backend"], recipe["options"]) == ("fake", {"level": 3})
    assert recipe["output"] == {"name": "beach", "size": 32, "format": format}


def test_the_alpha_of_the_content_is_put_back(bench: Bench) -> None:
    """Transparent stays transparent."""
    picture = Image.new("RGBA", (32, 24), (10, 200, 90, 255))
    picture.paste((10, 200, 90, 0), (0, 0, 16, 24))
    picture.save(bench.paths.folder / "content.png")
    bench.run(same)
    with Image.open(bench.paths.picture(bench.job)) as made:
        assert made.mode == "RGBA"
        assert (made.getpixel((2, 2)) or (0,) * 4)[3] == 0  # type: ignore[index]
        assert made.getpixel((30, 2)) == (10, 200, 90, 255)


def soft_disc() -> Image.Image:
    """A disc of one colour whose edge is soft, on a page that is transparent black."""
    y, x = np.mgrid[:24, :32]
    cover = np.clip(10 - np.hypot(x - 16, y - 12), 0, 4) / 4
    pixels = np.zeros((24, 32, 4))
    pixels[cover > 0, :3] = (200, 60, 20)
    pixels[:, :, 3] = cover * 255
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def published(bench: Bench) -> tuple[Any, Any]:
    """Colours and alpha of what was made, from 0 to 1."""
    with Image.open(bench.paths.picture(bench.job)) as made:
        pixels = np.asarray(made.convert("RGBA")) / 255
    return pixels[:, :, :3], pixels[:, :, 3:]


def darken(task: Task, report: Tell) -> Result:
    """A painting that is darker than the content everywhere."""
    return Result(task.content * np.float32(0.6))


@pytest.mark.parametrize("format", ["png", "webp", "tiff"])
@pytest.mark.parametrize("work", [same, darken], ids=["same", "darker"])
def test_over_white_what_is_published_is_what_was_painted(
    bench: Bench, format: Literal["png", "webp", "tiff"], work: Work
) -> None:
    """Neither paler nor blended twice, wherever the content is more than a trace."""
    soft_disc().save(bench.paths.folder / "content.png")
    painted: list[Any] = []

    def paint(task: Task, report: Tell) -> Result:
        painted.append(work(task, report).pixels)
        return Result(painted[0])

    bench.change(format=format)
    bench.run(paint)
    colors, cover = published(bench)
    wrong = np.abs(colors * cover + (1 - cover) - painted[0])
    is_seen = np.asarray(soft_disc())[:, :, 3] >= 16
    assert wrong[is_seen].max() < 1.01 / 255
    assert is_seen.any()


def test_on_a_dark_page_a_soft_edge_has_no_halo(bench: Bench) -> None:
    """The white that the painter saw behind the disc is not part of its edge."""
    soft_disc().save(bench.paths.folder / "content.png")
    bench.run(same)
    colors, cover = published(bench)
    disc = np.asarray(soft_disc()) / 255
    assert np.abs(colors * cover - disc[:, :, :3] * disc[:, :, 3:]).max() < 1.5 / 255


@pytest.mark.parametrize("work", [same, darken], ids=["same", "darker"])
def test_a_jpeg_is_the_painting(bench: Bench, work: Work) -> None:
    """It has no transparency, and is not laid over white once more."""
    Image.new("RGBA", (32, 24), (200, 60, 20, 128)).save(bench.paths.folder / "content.png")
    bench.change(format="jpg")
    bench.run(work)
    content = (np.array([200, 60, 20]) * 128 + 255 * 127) / 255
    expected = content * (0.6 if work is darken else 1)
    assert published(bench)[0][12, 16] * 255 == pytest.approx(expected, abs=2)


def test_what_is_odd_about_pictures_is_told_and_recorded(bench: Bench) -> None:
    """With the names that the sidecar says, beside the first report of the backend."""
    hot = np.linspace(0, 1, 32 * 24, dtype=np.float32).reshape(24, 32)
    hot[5, 5] = 60
    Image.fromarray(hot).save(bench.paths.folder / "content.png", "TIFF")

    def work(task: Task, report: Tell) -> Result:
        report(Progress(step=1, steps=2, fraction=0.5))
        report(Progress(step=2, steps=2, fraction=1.0, note="tired"))
        return Result(task.content)

    bench.run(work)
    first, last = bench.reports
    assert [note.partition(": ")[0] for note in first.picture_notes] == ["beach.png", "starry.png"]
    assert "1 of its 768 values lie outside" in first.picture_notes[0]
    assert "one colour alone" in first.picture_notes[1]
    assert (first.fraction, last.picture_notes) == (0.5, ())
    assert bench.facts()["notes"] == [*first.picture_notes, "tired"]


@pytest.mark.parametrize("fails", [True, False])
def test_pictures_are_told_of_though_the_backend_says_nothing(bench: Bench, fails: bool) -> None:
    """Also where it fails: the note may say why."""

    def work(task: Task, report: Tell) -> Result:
        if fails:
            raise RuntimeError("no use")
        return Result(task.content)

    bench.run(work)
    assert [note for report in bench.reports for note in report.picture_notes] == [
        "starry.png: this style has one colour alone, and no manner to paint in"
    ]


def test_what_transparency_hides_is_not_seen_by_the_backend(bench: Bench) -> None:
    """Colours under full transparency, often black, count as the white of a page."""
    picture = Image.new("RGBA", (32, 24), (10, 200, 90, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 16, 24))
    picture.save(bench.paths.folder / "content.png")
    seen: list[Task] = []

    def work(task: Task, report: Tell) -> Result:
        seen.append(task)
        return Result(task.content)

    bench.run(work)
    assert seen[0].content[2, 2].tolist() == [1.0, 1.0, 1.0]
    assert np.allclose(seen[0].content[2, 30] * 255, [10, 200, 90])


def test_a_backend_gets_decoded_pictures_of_the_size_of_the_result(bench: Bench) -> None:
    """float32 sRGB in [0, 1]; styles with their weights, larger by their scale."""
    Image.new("RGB", (200, 100), "orange").save(bench.paths.folder / "style-1.png")
    style = bench.job.inputs[1].model_copy(update={"weight": 0.3, "scale": 2.0})
    bench.change(size=16, inputs=(bench.job.inputs[0], style))
    tasks: list[Task] = []

    def work(task: Task, report: Tell) -> Result:
        tasks.append(task)
        return Result(task.content)

    bench.run(work)
    (task,) = tasks
    assert task.content.shape == (12, 16, 3)
    assert task.content.dtype == np.dtype("float32")
    assert 0.0 <= task.content.min() <= task.content.max() <= 1.0
    (given,) = task.styles
    assert isinstance(given, Style)
    assert (given.weight, given.scale, given.pixels.shape) == (0.3, 2.0, (16, 32, 3))
    assert isinstance(task.options, Options)


def test_the_facts_of_the_record_are_complete(bench: Bench) -> None:
    """Losses over time, seconds by phase, memory, versions, seed, network, device."""

    def work(task: Task, report: Tell) -> Result:
        for step in (1, 2):
            style: Any = np.float32(2.5)
            losses = {"total": 1 / step, "style": style, "broken": float("nan")}
            report(Progress(step=step, steps=2, fraction=step / 2, losses=losses))
        return Result(
            task.content,
            network={"name": "vgg19", "sha256": "ab"},
            seed=np.int64(7),  # type: ignore[arg-type]
            seconds={"optimise": np.float64(1.23456)},
            stopped="plateau",
            device_name="A GPU",
            device_memory=5,
        )

    assert bench.run(work).ending is Ending.FINISHED
    facts = bench.facts()
    assert [point["step"] for point in facts["losses"]] == [1, 2]
    assert facts["losses"][1] == {
        "step": 2,
        "level": 1,
        "seconds": pytest.approx(0, abs=60),
        "total": 0.5,
        "style": 2.5,
    }
    phases = {"decode", "views", "backend", "encode", "optimise", "total"}
    assert set(facts["seconds"]) == phases
    assert facts["seconds"]["optimise"] == 1.235
    assert facts["peak_memory"]["process"] > 10 * 2**20
    assert facts["peak_memory"]["device"] == 5
    assert {"nstd", "python", "torch", "torchvision", "numpy", "pillow"} == set(facts["versions"])
    assert (facts["seed"], facts["network"]["name"], facts["stopped"]) == (7, "vgg19", "plateau")
    assert (facts["device"], facts["slot"], facts["device_name"]) == ("cpu", "cpu/0", "A GPU")
    picture = facts["picture"]
    assert picture["bytes"] == bench.paths.picture(bench.job).stat().st_size
    assert (picture["width"], picture["height"], len(picture["sha256"])) == (32, 24, 64)


def test_the_peak_memory_is_the_jobs_own(bench: Bench) -> None:
    """A large job before does not count for a small one after it."""
    large = 300 * 2**20

    def hungry(task: Task, report: Tell) -> Result:
        np.ones(large, dtype=np.uint8)
        return Result(task.content)

    bench.run(hungry)
    first = bench.facts()["peak_memory"]["process"]
    bench.run(same)
    assert bench.facts()["peak_memory"]["process"] < first - large // 2


def test_a_long_run_keeps_a_bounded_number_of_losses(bench: Bench) -> None:
    """Thinned out evenly from the beginning; the last one is always there."""

    def work(task: Task, report: Tell) -> Result:
        for step in range(1, 5002):
            report(Progress(step=step, steps=5001, fraction=step / 5001, losses={"total": 1.0}))
        return Result(task.content)

    bench.run(work)
    steps = [point["step"] for point in bench.facts()["losses"]]
    assert len(steps) <= 1000
    assert (steps[0], steps[-1]) == (1, 5001)
    assert steps == sorted(steps)


# Progress


@pytest.mark.usefixtures("always")
def test_reports_tell_how_far_it_is_and_when_it_will_be_done(bench: Bench) -> None:
    """A fraction that is over by rounding is the whole."""

    def work(task: Task, report: Tell) -> Result:
        for step, fraction in enumerate((0.25, 0.5, 0.75, 1.0000001), start=1):
            report(Progress(step=step, steps=4, fraction=fraction, level=2, levels=3))
        return Result(task.content)

    bench.run(work)
    assert [report.fraction for report in bench.reports] == [0.25, 0.5, 0.75, 1.0]
    assert bench.reports[0].eta is None
    assert bench.reports[1].eta is not None
    assert (bench.reports[0].level, bench.reports[0].levels) == (2, 3)


@pytest.mark.usefixtures("always")
def test_reports_tell_what_memory_is_held(bench: Bench) -> None:
    """The accelerator's where the backend knows of one, else that of the process."""

    def work(task: Task, report: Tell) -> Result:
        report(Progress(step=1, steps=2, fraction=0.5))
        report(Progress(step=2, steps=2, fraction=1.0, device_memory=lambda: 12345))
        return Result(task.content)

    bench.run(work)
    process, device = (report.memory for report in bench.reports)
    assert process is not None
    assert process > 2**20
    assert device == 12345


@pytest.mark.usefixtures("always")
def test_a_preview_is_a_small_picture_replaced_as_a_whole(bench: Bench) -> None:
    """A disk that does not take it stops nothing: it is only a preview."""

    class NoPreviews(Files):
        def write(self, path: Path, data: bytes, *, durable: bool = True) -> None:
            if path.name == "preview.jpg":
                raise OSError(errno.ENOSPC, "no space left on device")
            super().write(path, data, durable=durable)

    def work(task: Task, report: Tell) -> Result:
        content = task.content
        report(Progress(step=1, steps=1, fraction=1.0, picture=lambda: content))
        return Result(content)

    assert bench.run(work).ending is Ending.FINISHED
    with Image.open(bench.paths.preview) as preview:
        assert (preview.format, preview.size) == ("JPEG", (32, 24))
    bench.paths.preview.unlink()
    bench.files = NoPreviews()
    assert bench.run(work).ending is Ending.FINISHED
    assert not bench.paths.preview.exists()


def test_a_stopped_attempt_leaves_its_state_for_the_next(bench: Bench) -> None:
    """A cancelled one does not; and a backend's `except Exception` swallows neither."""

    def work(task: Task, report: Tell) -> Result:
        start = int(task.state or 0)
        for step in range(start + 1, start + 10):
            if step == 5:
                bench.wanted = wanted
            try:
                report(Progress(step, 100, step / 100, state=lambda n=step: b"%d" % n))  # type: ignore[misc]
            except Exception as error:
                raise AssertionError("the interruption was swallowed") from error
        return Result(task.content)

    wanted: str | None = "cancel"
    assert bench.run(work).ending is Ending.CANCELLED
    assert not bench.paths.checkpoint.exists()
    bench.wanted, wanted = None, "stop"
    assert bench.run(work).ending is Ending.STOPPED
    assert bench.paths.checkpoint.read_bytes() == b"5"
    bench.wanted, wanted = None, None
    assert bench.run(work).ending is Ending.FINISHED
    assert bench.facts()["steps"] == 14


def test_an_interruption_that_nobody_asked_for_is_an_error(bench: Bench) -> None:
    """A backend that raises it by itself must not be tried for ever."""
    assert bench.fail(raising(Interrupted())).code == "backend_failed"


# Errors


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (lambda task: task.content, "a ndarray, not a nstd.backend.Result"),
        (lambda task: None, "a NoneType, not a nstd.backend.Result"),
        (lambda task: Result(task.content[:10]), "shape (10, 32, 3), not the content's (24, 32,"),
        (lambda task: Result(task.content[:, :, 0]), "shape (24, 32), not"),
        (lambda task: Result(task.content * np.float32("nan")), "NaN or infinite"),
        (lambda task: Result((task.content * 255).astype(np.uint8)), "pixels of uint8, not"),
        (lambda task: Result(task.content.tolist()), "pixels of list, not"),
        (lambda task: Result(task.content * 255), "pixels from 0 to 128, not in [0, 1]"),
        (lambda task: Result(task.content * 2 - 1), "pixels from -1 to"),
    ],
    ids=["array", "nothing", "shape", "grey", "nan", "bytes", "list", "x255", "signed"],
)
def test_what_is_no_result_is_the_backends_failure_in_clear_words(
    bench: Bench, value: Callable[[Task], Any], said: str
) -> None:
    """Nothing of it is written."""
    failure = bench.fail(returning(value))
    assert failure.code == "backend_failed"
    assert "backend 'fake' returned" in failure.message
    assert said in failure.message
    assert not bench.paths.picture(bench.job).exists()


def test_pixels_of_double_precision_and_slightly_out_of_range_are_fine(bench: Bench) -> None:
    """They are rounded and clipped."""

    def work(task: Task, report: Tell) -> Result:
        doubled: Any = task.content.astype(np.float64) * 2
        return Result(doubled)

    assert bench.run(work).ending is Ending.FINISHED


@pytest.mark.parametrize(
    ("progress", "said"),
    [
        (Progress(step=5, steps=4, fraction=0.5), "step 5 of 4"),
        (Progress(step=-1, steps=4, fraction=0.5), "step -1 of 4"),
        (Progress(step=1, steps=4, fraction=25.0), "that 25 of the work is done"),
        (Progress(step=1, steps=4, fraction=-0.5), "that -0.5 of the work is done"),
        (Progress(step=1, steps=4, fraction=float("nan")), "that nan of the work is done"),
        (Progress(step=1, steps=4, fraction=0.5, level=3, levels=2), "level 3 of 2"),
    ],
)
def test_progress_that_cannot_be_true_is_the_backends_failure(
    bench: Bench, progress: Progress, said: str
) -> None:
    """Before anything is published, and with what was wrong."""

    def work(task: Task, report: Tell) -> Result:
        report(progress)
        return Result(task.content)

    failure = bench.fail(work)
    assert failure.code == "backend_failed"
    assert f"backend 'fake' reported {said}" in failure.message
    assert not any(report.fraction for report in bench.reports)


ODD: Any = Progress


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda task: ODD("1", 4, 0.5), "step as a str, not a number"),
        (lambda task: ODD(1, None, 0.5), "steps as a NoneType, not a number"),
        (lambda task: ODD(1, math.inf, 0.5), "step 1 of inf"),
        (lambda task: ODD(1, 4, task.content), "fraction as a ndarray, not a number"),
        (lambda task: ODD(1, 4, 0.5, picture=task.content), "picture as a ndarray, not a function"),
        (lambda task: ODD(1, 4, 0.5, state=b"x"), "state as a bytes, not a function"),
        (lambda task: ODD(1, 4, 0.5, device_memory=7), "device_memory as a int, not a function"),
        (lambda task: ODD(1, 4, 0.5, losses=[1]), "losses as a list, not a mapping"),
        (lambda task: ODD(1, 4, 0.5, losses={"a": "b"}), "the loss 'a' as a str, not a number"),
        (lambda task: ODD(1, 4, 0.5, note=3), "a note that is a int, not text"),
        (lambda task: 0.5, "a float, not a nstd.backend.Progress"),
        (
            lambda task: ODD(1, 4, 0.5, picture=lambda: task.content[:, :, 0]),
            "a picture of shape (24, 32), not (height, width, 3)",
        ),
        (
            lambda task: ODD(1, 4, 0.5, picture=lambda: [[1], [1, 2]]),
            "a picture with pixels of list",
        ),
        (lambda task: ODD(1, 4, 0.5, device_memory=lambda: "1"), "a device_memory that is a str"),
    ],
)
def test_a_report_of_a_wrong_kind_is_told_in_the_words_of_the_contract(
    bench: Bench, make: Callable[[Task], Any], said: str
) -> None:
    """Not in those of numpy, torch or pydantic, which would hide what the backend did."""

    def work(task: Task, report: Tell) -> Result:
        report(make(task))
        return Result(task.content)

    failure = bench.fail(work)
    assert failure.code == "backend_failed"
    assert f"backend 'fake' reported {said}" in failure.message
    assert "nstd help backend" in failure.hint


def test_a_state_that_is_no_bytes_is_told_when_it_is_asked_for(bench: Bench) -> None:
    """Here because the daemon stops."""
    bench.wanted = "stop"

    def work(task: Task, report: Tell) -> Result:
        report(ODD(1, 4, 0.5, state=dict))
        return Result(task.content)

    assert "reported a state that is a dict, not bytes" in bench.fail(work).message


@pytest.mark.usefixtures("always")
def test_numbers_of_numpy_and_torch_are_numbers(bench: Bench) -> None:
    """Backends compute with them."""

    def work(task: Task, report: Tell) -> Result:
        report(ODD(np.int64(1), 2, np.float32(0.5), losses={"total": torch.tensor(0.25)}))
        made: Any = {"seed": np.int64(3), "seconds": {"x": np.float32(1)}}
        return Result(task.content, **made)

    assert bench.run(work).ending is Ending.FINISHED
    assert bench.reports[0].losses == {"total": 0.25}
    assert bench.facts()["seed"] == 3


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"network": "vgg"}, "a network that is a str, not a mapping"),
        ({"seconds": 3.0}, "seconds that are a float, not a mapping"),
        ({"seconds": {"x": "y"}}, "x that is str 'y', not a number"),
        ({"seed": "7"}, "seed that is str '7', not a number"),
        ({"stopped": 3}, "a stopped that is a int, not text"),
        ({"device_memory": "much"}, "device_memory that is str 'much', not a number"),
    ],
)
def test_facts_of_a_wrong_kind_are_told_in_the_words_of_the_contract(
    bench: Bench, facts: dict[str, Any], said: str
) -> None:
    """Before the picture is written."""
    failure = bench.fail(lambda task, report: Result(task.content, **facts))
    assert failure.code == "backend_failed"
    assert f"backend 'fake' returned {said}" in failure.message
    assert not bench.paths.picture(bench.job).exists()


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("wrong", [255.0, float("nan")])
def test_a_preview_that_cannot_be_shown_is_the_backends_failure(bench: Bench, wrong: float) -> None:
    """It may be of another size, but not of another range."""

    def work(task: Task, report: Tell) -> Result:
        for factor in (1.0, wrong):
            pixels = task.content[::2, ::2] * np.float32(factor)
            report(Progress(step=1, steps=1, fraction=1.0, picture=lambda shown=pixels: shown))  # type: ignore[misc]
        return Result(task.content)

    failure = bench.fail(work)
    assert failure.code == "backend_failed"
    assert "reported a picture with pixels" in failure.message
    assert bench.paths.preview.exists()


def test_options_that_only_a_worker_refuses_fail_the_job_as_options(bench: Bench) -> None:
    """A backend's validator may look at the machine."""
    bench.change(options={"here": True})
    failure = bench.fail(same)
    assert failure.code == "options_invalid"
    assert failure.message == "this machine cannot do that"


@pytest.mark.parametrize(
    ("error", "code", "fault"),
    [
        (RuntimeError("what?"), "backend_failed", False),
        (SystemExit(3), "backend_failed", False),
        (MemoryError(), "out_of_memory", False),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory", False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out_of_memory", False),
        (RuntimeError("CUDA error: an illegal memory access"), "device_failed", True),
        (RuntimeError("CUDA error: device-side assert triggered"), "device_failed", True),
        (OSError(errno.ENOSPC, "no space left", "/tmp/x"), "io_error", False),
        (OSError(errno.EIO, "input/output error"), "io_error", False),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
def test_errors_get_the_code_that_tells_whether_to_try_again(
    bench: Bench, error: BaseException, code: str, fault: bool
) -> None:
    """With the traceback in `detail`, and the device blamed where its state is lost."""
    outcome = bench.run(raising(error))
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.device_fault) == (code, fault)
    assert outcome.failure.message
    assert "in work" in outcome.failure.detail


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no picture at all", "picture_unreadable"),
        (None, "picture_missing"),
        ("half", "picture_unreadable"),
        ("animated", "picture_refused"),
    ],
)
def test_a_picture_that_cannot_be_used_fails_before_any_work(
    bench: Bench, data: bytes | str | None, code: str
) -> None:
    """In the words of the sidecar."""
    path = bench.paths.folder / "content.png"
    if data is None:
        path.unlink()
    else:
        path.write_bytes(_special(data) if isinstance(data, str) else data)
    failure = bench.fail(raising(AssertionError("it was run")))
    assert failure.code == code
    assert failure.message.startswith("beach.png")


def _special(kind: str) -> bytes:
    buffer = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    if kind == "half":
        picture.save(buffer, "PNG")
        return buffer.getvalue()[: buffer.tell() // 2]
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def test_a_full_disk_at_the_end_is_no_failure_of_the_backend(bench: Bench) -> None:
    """The picture could not be written: the job waits for space, with its attempt forgiven."""

    class Full(Files):
        def step(self, operation: str, path: Path) -> None:
            if operation == "write":
                raise OSError(errno.ENOSPC, "no space left on device", str(path))

    bench.files = Full()
    outcome = bench.run(same)
    assert outcome.failure is not None
    assert outcome.failure.code == "disk_full"
    assert outcome.full_path.endswith(".tmp")
    assert outcome.full_path in outcome.failure.message


@pytest.mark.parametrize("had_room", [True, False])
def test_a_full_disk_under_a_checkpoint_tells_its_path_and_whether_there_was_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, had_room: bool
) -> None:
    """The backend is not blamed for the file that we write for it."""

    class Full(Files):
        def step(self, operation: str, path: Path) -> None:
            if operation == "write" and "checkpoint" in path.name:
                raise OSError(errno.ENOSPC, "no space left on device")

    def work(task: Task, report: Tell) -> Result:
        report(Progress(step=1, steps=2, fraction=0.5, state=lambda: b"state"))
        raise AssertionError("the checkpoint was written")

    if not had_room:
        monkeypatch.setattr(attempt_module, "DISK_BYTES", 10**15)
    bench.files = Full()
    bench.wanted = "stop"
    outcome = bench.run(work)
    assert outcome.failure is not None
    assert outcome.failure.code == "disk_full"
    assert "checkpoint" in outcome.full_path
    assert outcome.had_room is had_room


def test_a_package_that_is_not_installed_is_left_out_of_the_versions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of a job is no time to fail over its record."""
    monkeypatch.setattr(provenance, "_PACKAGES", ("numpy", "no-such-package"))
    assert set(provenance.versions()) == {"nstd", "python", "numpy"}


class MuteError(Exception):
    """An error that does not let itself be told."""

    def __init__(self, how: str) -> None:
        super().__init__(how)
        self.how = how

    def __str__(self) -> str:
        if self.how == "raises":
            raise RuntimeError("no words")
        nothing: Any = None
        return nothing  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("a name \udcff of bytes, half a letter \ud83d"),
        BackendError("backend_failed", "words \udcff", "hint \udcff"),
        BackendError("my_own_code", "words"),
        BackendError("backend_failed", None),  # type: ignore[arg-type]
        MuteError("raises"),
        MuteError("none"),
        KeyboardInterrupt(),
        SystemExit(3),
        GeneratorExit(),
        ExceptionGroup("several", [ValueError("a"), KeyError("b")]),
        BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError("\udcff")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_a_backend_raises_is_its_jobs_failure_and_can_be_written(
    bench: Bench, error: BaseException
) -> None:
    """Never the device's fault, never the end of the worker."""
    outcome = bench.run(raising(error))
    assert outcome.failure is not None
    assert (outcome.failure.code, outcome.device_fault) == ("backend_failed", False)
    assert Outcome.model_validate_json(outcome.model_dump_json()) == outcome


def test_texts_of_a_backend_are_cleaned_where_they_come_in(bench: Bench) -> None:
    """A note, the name of a loss, and what its result says."""

    def work(task: Task, report: Tell) -> Result:
        loss = {"to\udcfftal": 1.0}
        report(Progress(step=1, steps=1, fraction=1.0, losses=loss, note="note \udcff"))
        return Result(task.content, network={"name": "net\udcff"}, stopped="\udcff")

    assert bench.run(work).ending is Ending.FINISHED
    assert bench.reports[0].note == "note \\udcff"
    assert list(bench.reports[0].losses) == ["to\\udcfftal"]
    facts = bench.facts()
    assert (facts["network"], facts["stopped"]) == ({"name": "net\\udcff"}, "\\udcff")
    assert "to\\udcfftal" in facts["losses"][0]
    assert WorkerResult.model_validate_json(json.dumps(facts)).notes[-1] == "note \\udcff"


def test_an_interruption_inside_a_group_is_the_daemons_wish(bench: Bench) -> None:
    """A backend may run its steps in a task group."""

    def work(task: Task, report: Tell) -> Result:
        bench.wanted = "cancel"
        try:
            report(Progress(step=1, steps=2, fraction=0.5))
        except Interrupted as error:
            raise BaseExceptionGroup("tasks", [error]) from None
        raise AssertionError("it was not interrupted")

    assert bench.run(work).ending is Ending.CANCELLED
