"""Regions, masks, a beginning and a series travel the whole line beside content and style."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image
from support.disk import names_in
from support.playground import Playground, wait_for
from support.plugins import install

from nstd.client.retry import resubmit
from nstd.documents.config import Config
from nstd.images.encode import read_recipe
from nstd.intake.inbox import Inbox
from nstd.system.durable import Files

COLLECTOR = """
import json, pathlib
from pydantic import BaseModel, ConfigDict
from nstd.backend import Progress, Result

class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    note: str = ""
    fails: bool = False

class Collector:
    '''Takes every picture there is, and notes what it was given.'''

    name = "collector"
    size = None
    Options = Options
    takes = frozenset({"region", "mask", "init", "series"})

    def run(self, task, report):
        report(Progress(step=1, steps=1, fraction=1.0))
        if task.options.fails:
            raise RuntimeError("as it was told to")
        shape = lambda picture: None if picture is None else list(picture.shape)
        pathlib.Path(task.options.note).write_text(json.dumps({
            "styles": [[shape(style.region), shape(style.mask)] for style in task.styles],
            "init": shape(task.init),
            "series": [shape(picture) for picture in task.series],
        }))
        return Result(task.content)
"""

PICTURES = {
    "beach.png": (40, 30),
    "starry.png": (20, 20),
    "scream.png": (24, 16),
    "sky.png": (8, 6),
    "ground.png": (80, 60),
    "part.png": (5, 5),
    "earlier.png": (10, 10),
    "pier.png": (30, 40),
}
WISH: dict[str, Any] = {
    "content": "beach.png",
    "style": [
        {"image": "starry.png", "region": "sky.png"},
        {"image": "scream.png", "region": "ground.png", "mask": "part.png", "weight": 0.5},
    ],
    "init": "earlier.png",
    "series": ["beach.png", "pier.png"],
}


@pytest.fixture
def ground(playground: Playground) -> Iterator[Playground]:
    """A playground whose backend takes everything, with all the pictures in its inbox."""
    install(playground.site, "collector", COLLECTOR, attribute="Collector")
    playground.configure(jobs={"backend": "collector"})
    for number, (name, size) in enumerate(PICTURES.items()):
        playground.picture(name, size, f"rgb({250 - number}, 200, 150)")
    yield playground


def drop(ground: Playground, name: str = "beach", **more: Any) -> Path:
    """A sidecar with everything; where the backend writes its note."""
    note = ground.folder / f"{name}.note"
    options = {"note": str(note), **more.pop("options", {})}
    ground.sidecar(name, **WISH, options=options, **more)
    return note


def test_every_picture_reaches_the_backend_the_record_and_the_recipe(ground: Playground) -> None:
    """Masks in the sizes of what they lie over; the recipe says what the sidecar said."""
    note = drop(ground)
    done = ground.once()
    assert done.returncode == 0, done.stderr
    assert json.loads(note.read_text()) == {
        "styles": [[[30, 40], None], [[30, 40], [16, 24]]],
        "init": [30, 40, 3],
        "series": [[30, 40, 3], [40, 30, 3]],
    }
    inputs = ground.record("beach")["inputs"]
    starry, scream = inputs["styles"]
    assert (starry["region"]["file"], scream["mask"]["file"]) == ("sky.png", "part.png")
    assert "mask" not in starry
    assert inputs["init"]["bytes"] == (ground.inbox / "earlier.png").stat().st_size
    assert [each["file"] for each in inputs["series"]] == WISH["series"]
    assert inputs["series"][0]["sha256"] == inputs["content"]["sha256"]
    recipe = json.loads(read_recipe(ground.outbox / "beach" / "beach.png") or "")
    for style in recipe["style"]:
        del style["scale"]
    recipe["style"][0].pop("weight")
    assert {key: recipe[key] for key in WISH} == WISH


@pytest.mark.parametrize("late", ["sky.png", "part.png", "earlier.png", "pier.png"])
def test_a_sidecar_waits_for_every_picture(tmp_path: Path, late: str) -> None:
    """One that is absent, or that still grows, holds it back."""
    for folder in ("inbox", "styles"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "inbox" / late
    for name in PICTURES:
        (tmp_path / "inbox" / name).write_text("x")
    (tmp_path / "inbox" / "beach.yaml").write_text(json.dumps(WISH))
    inbox = Inbox(Config.at(tmp_path, watch={"settle": "5s"}))
    assert inbox.ready(0) == []
    path.unlink()
    assert inbox.ready(10) == []
    path.write_text("half")
    assert inbox.ready(20) == []
    path.write_text("the whole of it")
    assert inbox.ready(26) == []
    (ready,) = inbox.ready(32)
    assert late in {picture.source for picture in ready.pictures}
    assert ready.error is None


def test_a_picture_that_never_comes_is_named(ground: Playground) -> None:
    """The reason says which of the many it is."""
    ground.configure(watch={"orphan": "300ms"})
    (ground.inbox / "part.png").rename(ground.inbox / "parts.png")
    drop(ground)
    daemon = ground.start()
    wait_for(lambda: ground.events("job.failed"))
    ground.stop(daemon)
    reason = ground.reason("beach")
    assert (reason["code"], "'part.png'" in reason["message"]) == ("picture_missing", True)
    assert "did you mean 'parts.png'?" in reason["hint"]


def test_pictures_of_every_kind_are_cleared_when_nobody_needs_them(ground: Playground) -> None:
    """Those that a waiting sidecar names as a region, a beginning or a series stay for it."""
    ground.configure(jobs={"pictures": "delete"})
    drop(ground)
    ground.sidecar(
        "later",
        content="late.png",
        style={"image": "starry.png", "region": "sky.png"},
        init="earlier.png",
        series=["pier.png"],
        options={"note": str(ground.folder / "later.note")},
    )
    daemon = ground.start()
    wait_for(lambda: ground.events("pictures.cleared"))
    assert {path.name for path in ground.inbox.glob("*.png")} == {
        *("starry.png", "sky.png", "earlier.png", "pier.png"),
    }
    ground.picture("late.png")
    wait_for(lambda: not list(ground.inbox.glob("*.png")))
    ground.stop(daemon)
    assert len(ground.events("job.finished")) == 2


def test_a_retried_job_has_every_picture_again(ground: Playground) -> None:
    """Even if all of them left the inbox meanwhile."""
    drop(ground, options={"fails": True})
    ground.once()
    before = {name: (ground.inbox / name).read_bytes() for name in PICTURES}
    for name in PICTURES:
        (ground.inbox / name).unlink()
    resubmit(ground.config, ground.outbox / "failed" / "beach", Files())
    assert {name: (ground.inbox / name).read_bytes() for name in PICTURES} == before
    assert names_in(ground.inbox) == [".nstd", *sorted(["beach.yaml", *PICTURES])]


def test_what_is_odd_about_a_picture_is_logged_and_recorded(ground: Playground) -> None:
    """A line for each picture, with its name: a mask of labels, a broken profile."""
    Image.new("L", (8, 6), 1).save(ground.inbox / "sky.png")
    Image.new("RGB", (40, 30), "teal").save(ground.inbox / "beach.png", icc_profile=b"x" * 300)
    drop(ground)
    assert ground.once().returncode == 0
    told = [line["note"] for line in ground.events("job.noted")]
    names = [note.partition(": ")[0] for note in told]
    assert names == ["beach.png", "starry.png", "sky.png", "scream.png"]
    assert "colour profile ignored" in told[0]
    assert "one colour alone" in told[1]
    assert "nearly black" in told[2]
    assert ground.record("beach")["notes"] == told


def test_a_black_mask_fails_the_job_with_its_name(ground: Playground) -> None:
    """Its style would have nothing to say."""
    ground.picture("sky.png", (8, 6), "black")
    drop(ground)
    ground.once()
    reason = ground.reason("beach")
    assert reason["code"] == "picture_refused"
    assert reason["message"].startswith("sky.png: black everywhere")
    assert "paint white" in reason["hint"]


def test_a_backend_that_has_no_use_for_a_picture_refuses_it(ground: Playground) -> None:
    """At the claim and in `nstd check`, every such key with its line and column."""
    text = (
        "content: beach.png\nbackend: color-transfer\ninit: earlier.png\nstyle:\n"
        "  - starry.png\n  - {image: scream.png, mask: part.png}\nseries: [a.png, b.png]\n"
    )
    expected = [
        "beach.yaml:3:1: init: the backend 'color-transfer' has no use for it",
        "beach.yaml:6:25: mask: the backend 'color-transfer' has no use for it",
    ]
    (ground.inbox / "beach.yaml").write_text(text)
    checked = ground.command("check", "beach.yaml", cwd=ground.inbox)
    told = [line for line in checked.stdout.splitlines() if not line.startswith(" ")]
    assert (checked.returncode, told) == (1, expected)
    ground.picture("a.png")
    ground.picture("b.png")
    ground.once()
    reason = ground.reason("beach")
    assert (reason["code"], reason["message"].splitlines()) == ("options_invalid", expected)
    assert "`nstd backends`" in reason["hint"]


def test_the_place_is_right_for_a_single_style(ground: Playground) -> None:
    """Whose mapping stands without a list."""
    (ground.folder / "a.yaml").write_text(
        "content: a.png\nbackend: color-transfer\nstyle:\n  image: b.png\n  region: c.png\n"
    )
    done = ground.command("check", "a.yaml")
    assert done.stdout.startswith("a.yaml:5:3: region: the backend 'color-transfer'")


def test_backends_tell_what_they_take(ground: Playground) -> None:
    """So that a person finds the one for a region, or for a film."""
    told = ground.command("backends").stdout
    assert told.count("    takes pictures as init, mask, region, series") == 2
    assert told.count("    makes films that do not flicker") == 1


def test_submit_sends_a_series_and_a_beginning(ground: Playground) -> None:
    """A sidecar for each content, all of which name the whole series; every picture once."""
    mine = ground.folder / "mine"
    mine.mkdir()
    for name in ("beach.png", "pier.png", "starry.png", "earlier.png"):
        (ground.inbox / name).rename(mine / name)
    Image.new("RGB", (9, 9), "red").save(ground.inbox / "pier.png")
    done = ground.command(
        *("submit", "beach.png", "pier.png", "starry.png", "--series"),
        *("--init", "earlier.png", "-o", f"note={ground.folder / 'note'}"),
        cwd=mine,
    )
    assert done.returncode == 0, done.stderr
    sidecars = [ground.inbox / f"{name}-in-starry.yaml" for name in ("beach", "pier")]
    assert done.stdout.splitlines() == [f"submitted {path}" for path in sidecars]
    said = [yaml.safe_load(path.read_text()) for path in sidecars]
    assert [each["content"] for each in said] == ["beach.png", "pier-2.png"]
    assert [each["series"] for each in said] == [["beach.png", "pier-2.png"]] * 2
    assert [(each["style"], each["init"]) for each in said] == [("starry.png", "earlier.png")] * 2
    ground.once()
    assert len(ground.events("job.finished")) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["beach.png", "pier.png", "starry.png", "--name", "x"], 2, "--name names one job"),
        (["beach.png", "starry.png", "-o", "backend=puppet", "--init", "sky.png"], 1, "init: the"),
        (["beach.png", ".pier.png", "starry.png"], 1, "must not be a hidden file"),
        (["beach.png", "starry.png", "--init", "absent.png"], 2, "'absent.png' does not exist"),
    ],
)
def test_submit_refuses_all_when_it_refuses_one(
    ground: Playground, arguments: list[str], code: int, words: str
) -> None:
    """Before anything is copied."""
    mine = ground.inbox.rename(ground.folder / "mine")
    ground.inbox.mkdir()
    (mine / "ground.png").rename(mine / ".pier.png")
    done = ground.command("submit", *arguments, cwd=mine)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert not list(ground.inbox.iterdir())
