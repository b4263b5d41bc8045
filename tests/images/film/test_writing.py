"""Films are written in every format: times, colours, transparency, recipe; others read them."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support import CHECKOUT
from support.films import (
    Array,
    difference,
    drawn,
    even,
    floats,
    frames_of,
    make_animation,
    make_film,
    make_folder,
    opened,
)

from nstd.errors import BackendError, PictureError
from nstd.images.film.kinds import SUFFIXES, FilmFormat, film_kind
from nstd.images.film.model import FilmFacts, Frame, FrameChoice, Moment, WrittenFilm
from nstd.images.film.reader import Film
from nstd.images.film.writer import read_film_recipe, write_film

FORMATS: tuple[FilmFormat, ...] = ("mp4", "webm", "gif", "webp", "apng", "frames")
RECIPE = json.dumps({"style": "Sternennacht – ñ", "options": ["x" * 100] * 50}, ensure_ascii=False)
FACTS = FilmFacts("gif", 64, 48, "gif", time_unit=Fraction(1, 1000))
UNEVEN = [Fraction(each, 1000) for each in (0, 40, 100, 133, 500, 560)]
needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def frames(
    times: list[Fraction], last: Fraction, *, alpha: bool = False, size: tuple[int, int] = (64, 48)
) -> Iterator[Frame]:
    """Drawn frames, shown from these times on."""
    ends = [*times[1:], times[-1] + last]
    for number, (time, end) in enumerate(zip(times, ends, strict=True)):
        values = floats(drawn(number, size, alpha=alpha))
        cover = values[:, :, 3] if alpha else None
        yield Frame(Moment(number + 1, time, end - time), values[:, :, :3], cover)


def write(
    folder: Path,
    format: FilmFormat,
    given: Iterator[Frame],
    facts: FilmFacts = FACTS,
    recipe: str = RECIPE,
) -> tuple[Path, WrittenFilm]:
    path = folder / f"out{SUFFIXES[format]}"
    written = write_film(path, format, given, source=folder / "a", facts=facts, recipe=recipe)
    return path, written


@pytest.mark.parametrize("format", FORMATS)
def test_what_was_written_is_read_back(tmp_path: Path, format: FilmFormat) -> None:
    """The frames, in their colours; the recipe; the facts that are returned."""
    errors = {"mp4": 3, "webm": 3, "gif": 6, "webp": 2.5, "apng": 0.01, "frames": 0.01}
    path, written = write(tmp_path, format, frames(even(5), Fraction(1, 25)))
    assert film_kind(path) == format
    assert (written.frames, written.width, written.height) == (5, 64, 48)
    assert written.seconds == pytest.approx(0.2)
    assert read_film_recipe(path) == RECIPE
    found = frames_of(path)
    assert len(found) == 5
    for number, frame in enumerate(found):
        assert difference(frame.pixels, floats(drawn(number))) < errors[format]


@pytest.mark.parametrize("format", ["mp4", "webm", "webp", "apng"])
def test_times_in_milliseconds_are_written_exactly(tmp_path: Path, format: FilmFormat) -> None:
    """Uneven ones; the last duration too, but in WebM, which has none."""
    path, written = write(tmp_path, format, frames(UNEVEN, Fraction(77, 1000)))
    assert not written.notes
    with opened(path) as film:
        assert [moment.time for moment in film.moments] == UNEVEN
        if format != "webm":
            assert film.moments[-1].duration == Fraction(77, 1000)
            assert film.facts.seconds == pytest.approx(written.seconds)


@pytest.mark.parametrize("rate", [Fraction(30_000, 1001), Fraction(24), Fraction(25, 3)])
@pytest.mark.parametrize("format", ["mp4", "apng"])
def test_any_even_rate_is_written_exactly(
    tmp_path: Path, format: FilmFormat, rate: Fraction
) -> None:
    unit = Fraction(1, rate.numerator)
    facts = replace(FACTS, rate=rate, time_unit=unit)
    path, written = write(tmp_path, format, frames(even(7, rate), 1 / rate), facts)
    assert not written.notes
    with opened(path) as film:
        assert [moment.time for moment in film.moments] == even(7, rate)
        assert film.facts.rate == rate


@pytest.mark.parametrize(("format", "unit"), [("gif", 100), ("webp", 1000), ("webm", 1000)])
def test_rounded_times_do_not_drift(tmp_path: Path, format: FilmFormat, unit: int) -> None:
    """Each is the nearest one that the format has, and a note says so."""
    path, written = write(tmp_path, format, frames(even(24, 24), Fraction(1, 24)))
    assert any("rounded" in note for note in written.notes)
    with opened(path) as film:
        for moment, exact in zip(film.moments, even(24, 24), strict=True):
            assert abs(moment.time - exact) <= Fraction(1, 2 * unit)


@pytest.mark.parametrize(("format", "kept"), [("gif", 12), ("webp", 12), ("apng", 12), ("mp4", 24)])
def test_frames_that_players_would_slow_down_are_left_out(
    tmp_path: Path, format: FilmFormat, kept: int
) -> None:
    """Of 100 in a second every second one, so that the speed stays."""
    path, written = write(tmp_path, format, frames(even(24, 100), Fraction(1, 100)))
    assert written.frames == kept
    assert written.seconds == pytest.approx(0.24)
    assert any("left out" in note for note in written.notes) == (kept == 12)
    with opened(path) as film:
        assert len(film.moments) == kept
        assert film.facts.seconds == pytest.approx(0.24)


@pytest.mark.parametrize("format", FORMATS)
def test_transparency_is_written_where_the_format_has_it(
    tmp_path: Path, format: FilmFormat
) -> None:
    """Over white in MP4, with a note."""
    path, written = write(tmp_path, format, frames(even(3), Fraction(1, 25), alpha=True))
    for number, frame in enumerate(frames_of(path)):
        original = floats(drawn(number, alpha=True))
        if format == "mp4":
            assert any("over white" in note for note in written.notes)
            assert frame.pixels[:, 44:52].min() > 0.95
            continue
        assert frame.alpha is not None
        assert difference(frame.alpha, original[:, :, 3]) < 4
        opaque = frame.alpha[:, :36, None] * frame.pixels[:, :36]
        assert difference(opaque, original[:, :36, :3]) < 6


@pytest.mark.parametrize("format", FORMATS)
def test_odd_sides_are_kept_or_grow_by_one(tmp_path: Path, format: FilmFormat) -> None:
    """4:2:0 needs even sides; nothing is cut off, and a note says so."""
    path, written = write(tmp_path, format, frames(even(2), Fraction(1, 25), size=(41, 31)))
    grown = format in ("mp4", "webm")
    assert (written.width, written.height) == ((42, 32) if grown else (41, 31))
    assert any("odd sides" in note for note in written.notes) == grown
    (frame, _) = frames_of(path)
    assert frame.pixels.shape == (written.height, written.width, 3)
    assert difference(frame.pixels[:31, :41], floats(drawn(0, (41, 31)))) < 6


@pytest.mark.parametrize("format", ["gif", "webp", "apng"])
@pytest.mark.parametrize("loops", [0, 1, 2, 7])
def test_it_is_played_as_often_as_its_content(
    tmp_path: Path, format: FilmFormat, loops: int
) -> None:
    path, _ = write(tmp_path, format, frames(even(2), Fraction(1, 25)), replace(FACTS, loops=loops))
    with opened(path) as film:
        assert film.facts.loops == loops


def test_a_still_scene_does_not_crawl_in_a_gif(tmp_path: Path) -> None:
    """Noise of half a level changes no dot; a change of scene gets colours of its own."""
    draw = np.random.default_rng(5)
    scene = floats(drawn(0, (96, 64)))
    scene += draw.normal(0, 0.05, scene.shape).astype(np.float32)
    other = 1 - np.clip(scene, 0, 1)[:, ::-1]

    def given() -> Iterator[Frame]:
        for number in range(8):
            base = scene if number < 4 else other
            noisy = np.clip(base + draw.normal(0, 0.002, scene.shape), 0, 1).astype(np.float32)
            yield Frame(Moment(number + 1, Fraction(number, 25), Fraction(1, 25)), noisy)

    path, _ = write(tmp_path, "gif", given())
    found = [frame.pixels for frame in frames_of(path)]
    for start in (0, 4):
        assert difference(found[start], np.clip([scene, other][start // 4], 0, 1)) < 5
        for before, after in zip(
            found[start : start + 3], found[start + 1 : start + 4], strict=True
        ):
            assert difference(after, before) < 0.2
    assert difference(found[4], found[3]) > 20


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_frames_give_the_same_bytes(tmp_path: Path, format: FilmFormat) -> None:
    """So a result can be compared with an earlier one."""
    folders = [tmp_path / "a", tmp_path / "b"]
    made = []
    for folder in folders:
        folder.mkdir()
        path, _ = write(folder, format, frames(even(3), Fraction(1, 25)))
        made.append(
            [each.read_bytes() for each in (sorted(path.iterdir()) if path.is_dir() else [path])]
        )
    assert made[0] == made[1]


@pytest.mark.parametrize("format", FORMATS)
def test_frames_are_taken_one_at_a_time(tmp_path: Path, format: FilmFormat) -> None:
    """Each is let go before the second next one is asked for."""
    import weakref

    alive: list[weakref.ref[Array]] = []

    def given() -> Iterator[Frame]:
        for frame in frames(even(6), Fraction(1, 25)):
            own = replace(frame, pixels=frame.pixels.copy())
            alive.append(weakref.ref(own.pixels))
            del frame
            yield own
            del own
            assert sum(each() is not None for each in alive) <= 3

    write(tmp_path, format, given())
    assert len(alive) == 6


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_no_picture_is_the_backends_fault(tmp_path: Path, format: FilmFormat) -> None:
    """Values that are not finite, another size than before, no frame at all."""
    first, second = frames(even(2), Fraction(1, 25))
    bad = replace(second, pixels=second.pixels * np.float32(np.nan))
    small = replace(second, pixels=second.pixels[:10])
    for number, given in enumerate(([first, bad], [first, small], [])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(BackendError) as caught:
            write(folder, format, iter(given))
        assert caught.value.code == "backend_failed"


def test_a_side_that_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    wide = Frame(Moment(1, Fraction(0), Fraction(1, 25)), np.zeros((2, 16_500, 3), np.float32))
    for format in ("mp4", "webm", "webp"):
        with pytest.raises(PictureError, match="pixels a side") as caught:
            write(tmp_path, format, iter([wide]))
        assert "output.format" in caught.value.hint


FULL = """
import resource, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from support.films import opened
from nstd.images.film.writer import write_film
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
source, out = Path(sys.argv[1]), Path(sys.argv[2])
with opened(source) as film:
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        write_film(
            out, sys.argv[4], film.frames(), source=source, facts=film.facts, recipe="{}" * 2000
        )
    except OSError as error:
        print(error.errno)
"""


@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_is_an_error_of_the_system(tmp_path: Path, format: FilmFormat) -> None:
    """With its number, by which the worker knows what to do."""
    source = make_film(tmp_path / "a.mp4", 5, sound="aac")
    out = tmp_path / f"out{SUFFIXES[format]}"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(source), str(out), f"{CHECKOUT}/tests", format],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stdout, done.stderr) == (f"{errno.EFBIG}\n", "")


def test_a_film_that_nstd_did_not_make_has_no_recipe(tmp_path: Path) -> None:
    assert read_film_recipe(make_film(tmp_path / "a.mp4", 2)) is None
    assert read_film_recipe(make_film(tmp_path / "a.webm", 2, "libvpx-vp9")) is None
    assert read_film_recipe(make_folder(tmp_path / "shot", 2)) is None
    for name in ("a.gif", "a.webp", "a.png"):
        assert read_film_recipe(make_animation(tmp_path / name, [40, 40])) is None


def test_a_cut_film_begins_at_once(tmp_path: Path) -> None:
    """Its first frame is shown from 0 on, whenever it was in the whole film."""
    source = make_film(tmp_path / "a.mp4", 10)
    choice = FrameChoice(first=4, last=7)
    with opened(source, choice) as film:
        path = tmp_path / "out.mp4"
        write_film(
            path,
            "mp4",
            film.frames(),
            source=source,
            facts=film.facts,
            choice=choice,
            recipe=RECIPE,
        )
    with opened(path) as film:
        assert [moment.time for moment in film.moments] == even(4)
        for number, frame in enumerate(film.frames(), 3):
            assert difference(frame.pixels, floats(drawn(number))) < 5


def probed(path: Path, entries: str, *more: str) -> dict[str, list[dict[str, str]]]:
    """What ffprobe, of Debian's FFmpeg, says about the picture."""
    done = subprocess.run(
        [
            "ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", entries,
            "-of", "json", *more, str(path),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )  # fmt: skip
    assert not done.stderr
    said: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
    return said


@needs_ffprobe
@pytest.mark.parametrize(("format", "codec"), [("mp4", "h264"), ("webm", "vp9")])
def test_another_reader_sees_the_same_times_and_colours(
    tmp_path: Path, format: FilmFormat, codec: str
) -> None:
    """BT.709 in limited range, 4:2:0, from 0 on."""
    path, _ = write(tmp_path, format, frames(UNEVEN, Fraction(77, 1000)))
    said = probed(path, "frame=pts_time:stream=codec_name,pix_fmt,color_range,color_space,"
                  "color_transfer,color_primaries")  # fmt: skip
    assert said["streams"][0] == {
        "codec_name": codec,
        "pix_fmt": "yuv420p",
        "color_range": "tv",
        "color_space": "bt709",
        "color_transfer": "bt709",
        "color_primaries": "bt709",
    }
    times = [float(frame["pts_time"]) for frame in said["frames"]]
    assert times == pytest.approx([float(each) for each in UNEVEN], abs=1e-6)


@needs_ffprobe
@pytest.mark.parametrize("format", ["gif", "apng"])
def test_another_reader_sees_the_same_durations(tmp_path: Path, format: FilmFormat) -> None:
    times = [Fraction(each, 100) for each in (0, 4, 10, 50)]
    path, _ = write(tmp_path, format, frames(times, Fraction(7, 100)))
    said = probed(path, "packet=pts_time,duration_time", "-f", format)
    found = [float(packet["pts_time"]) for packet in said["packets"]]
    assert found == pytest.approx([float(each) for each in times], abs=1e-6)


def test_pillow_sees_the_same_durations(tmp_path: Path) -> None:
    """In an animated WebP, which ffprobe of Debian 12 does not read."""
    path, _ = write(tmp_path, "webp", frames(UNEVEN, Fraction(77, 1000)))
    with Image.open(path) as image:
        durations = []
        for number in range(6):
            image.seek(number)
            image.load()
            durations.append(image.info["duration"])
        assert image.info["icc_profile"]
    assert durations == [40, 60, 33, 367, 60, 77]


def test_a_film_is_a_round_trip_through_every_format(tmp_path: Path) -> None:
    """From an opened film, as the worker does it."""
    source = make_animation(tmp_path / "a.gif", [40, 80, 120], size=(40, 30))

    def times(film: Film) -> list[Fraction]:
        return [moment.time for moment in film.moments]

    with opened(source) as film:
        for format in FORMATS:
            path = tmp_path / f"again{SUFFIXES[format]}"
            written = write_film(
                path, format, film.frames(), source=source, facts=film.facts, recipe=RECIPE
            )
            assert written.frames == 3
            with opened(path) as again:
                assert format == "frames" or times(again) == times(film)
