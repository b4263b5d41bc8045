"""What sidecars say of films, with the kind of their content known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.tables import table

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.documents.film import FilmSettings
from nstd.documents.grid import parse_grid
from nstd.errors import SidecarError
from nstd.intake.films import with_films
from nstd.intake.plan import Plan, make_plan

FADE = "style: [{image: a.jpg, from: 0s, to: 4s}, {image: b.jpg, from: 3s}]\n"
RAMP = "options: {strength: {0s: 0.2, 5s: 0.9}}\n"


def planned(
    folder: Path, text: str, kind: Any = None, usual: str | None = None, style: str = FADE
) -> Plan:
    """The plan of a sidecar whose content is a picture, or a film of that kind."""
    file = parse_grid(f"content: x.jpg\n{style}{text}".encode(), "x.yaml")
    plan = make_plan("x.yaml", file, Config.at(folder), Backends())
    return with_films(plan, file, dict.fromkeys(file.sidecar.content, kind), usual)


def complaint(folder: Path, text: str, kind: Any = None, style: str = FADE) -> str:
    """Why such a sidecar is refused: message and hint."""
    with pytest.raises(SidecarError) as caught:
        planned(folder, text, kind, style=style)
    return f"{caught.value.message}\n{caught.value.hint}"


def test_a_picture_with_seconds_is_a_film_of_twelve_frames_a_second(tmp_path: Path) -> None:
    """Of MP4, if no format is said; frames can be chosen as of any film."""
    order = planned(tmp_path, "output: {seconds: 6}\n").order
    assert order.film == FilmSettings(kind="still", seconds=6, fps=12)
    assert order.format == "mp4"
    order = planned(tmp_path, "output: {seconds: 6s, fps: 25, every: 2, format: webp}\n").order
    assert order.film == FilmSettings(kind="still", seconds=6, fps=25, every=2)
    assert order.format == "webp"


def test_a_ramp_is_kept_as_it_was_said(tmp_path: Path) -> None:
    """The other options are those of every job."""
    order = planned(tmp_path, RAMP, "gif").order
    assert order.options["strength"] == {"0s": 0.2, "5s": 0.9}
    assert order.options["preset"] == "normal"
    assert order.film == FilmSettings(kind="gif")
    shades = "backend: color-transfer\n"
    assert planned(tmp_path, shades + RAMP, "gif").order.options["strength"]["5s"] == 0.9


@table(
    ("text", "kind", "words"),
    [
        ("", None, "2:24: from: is for films, and 'x.jpg' is a picture; output.seconds"),
        ("options: {strength: {0s: 0.2}}\n", None, "strength: a ramp is for films, and"),
        ("output: {fps: 5}\n", None, "like `output: {seconds: 6}`"),
        ("output: {seconds: 6, format: png}\n", None, "`seconds` makes a film of it; a film has"),
        ("output: {seconds: 6}\n", "gif", "'x.jpg' is a film; choose its frames with `frames`"),
        ("output: {seconds: 50ms}\n", None, "at 12 frames a second is one frame"),
        ("output: {seconds: 6}\ninit: y.jpg\n", None, "a film starts at its own frames"),
        ("output: {seconds: 0}\n", None, "seconds: expected more than 0"),
        ("options: {strength: {0s: 0.2, 5s: 1.5}}\n", "gif", "at most 1, got 1.5"),
        ("options: {strength: {0s: 0.2, x: 1}}\n", "gif", "3:21: strength: not a duration: 'x'"),
        ("options: {strength: {a: 0.2}}\n", "gif", "strength: expected a number, got a mapping"),
        ("options: {style_weight: {0s: 1}}\n", "gif", "style_weight: expected a number"),
        ("options: {seed: {0s: 1}}\n", "gif", "seed: expected a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_with_words_that_lead_on(
    tmp_path: Path, text: str, kind: str | None, words: str
) -> None:
    """By the same words for `nstd check`, the daemon and `submit`."""
    assert words in complaint(tmp_path, text, kind)


def test_a_ramp_for_a_picture_is_refused(tmp_path: Path) -> None:
    """One style, no times: the option alone."""
    said = complaint(tmp_path, RAMP, style="style: a.jpg\n")
    assert "x.yaml:3:11: strength: a ramp is for films" in said


def test_a_gap_after_the_last_style_is_found_before_the_job_runs(tmp_path: Path) -> None:
    """For a picture, whose length is said; with chosen frames, the worker looks."""
    style = "style: {image: a.jpg, to: 4s}\n"
    said = complaint(tmp_path, "output: {seconds: 6}\n", style=style)
    assert "there is no style from 4s to the end of the film" in said
    assert planned(tmp_path, "output: {seconds: 4}\n", style=style).order.film
    assert planned(tmp_path, "output: {seconds: 6, frames: ..20}\n", style=style).order.film


def test_a_recipe_with_times_is_for_pictures_too(tmp_path: Path) -> None:
    """They are made as the first frame would be; with seconds, they become films."""
    order = planned(tmp_path, RAMP, None, "png").order
    assert order.film is None
    assert order.format == "png"
    order = planned(tmp_path, "output: {seconds: 6, format: jpg}\n", None, "png").order
    assert order.film is not None
    assert order.format == "mp4"
    order = planned(tmp_path, "output: {seconds: 6, format: jpg}\n", "gif", "png").order
    assert order.film == FilmSettings(kind="gif")


def test_a_grid_may_be_of_ramps_and_of_fades(tmp_path: Path) -> None:
    """Each member has its own; their names say the ends of a ramp."""
    text = "options: {strength: [{0s: 0.2, 5s: 0.9}, 0.5]}\noutput: {seconds: 6}\n"
    styles = "styles: [[{image: a.jpg, to: 4s}, {image: b.jpg, from: 3s}], c.jpg]\n"
    plan = planned(tmp_path, text, style=styles)
    assert [member.order.name for member in plan.members] == [
        "x-a+b-0.2-to-0.9",
        "x-a+b-0.5",
        "x-c-0.2-to-0.9",
        "x-c-0.5",
    ]
    assert plan.members[0].order.options["strength"] == {"0s": 0.2, "5s": 0.9}
    assert plan.members[3].order.options["strength"] == 0.5
    apart = "styles: [{image: a.jpg, to: 4s}, {image: b.jpg, from: 3s}]\n"
    said = complaint(tmp_path, text, style=apart)
    assert "there is no style from 0s to 3s" in said
