"""Broken, truncated, lying and hostile films: a clear reason, in bounded time and memory."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import pytest
from PIL import Image
from support import CHECKOUT
from support.films import LIMITS, drawn, make_animation, make_film, make_folder, opened

from nstd.errors import PictureError
from nstd.images.decode import load_image
from nstd.images.film import animation, demux, extra, failures

FILMS: dict[str, Callable[[Path], object]] = {
    "a.mp4": lambda path: make_film(path, 6, sound="aac"),
    "a.mov": lambda path: make_film(path, 4, "prores_ks", pixels="yuv422p10le"),
    "a.mkv": lambda path: make_film(path, 6, sound="aac"),
    "a.webm": lambda path: make_film(path, 6, "libvpx-vp9"),
    "a.avi": lambda path: make_film(path, 6, "mpeg4"),
    "a.gif": lambda path: make_animation(path, [40] * 4),
    "a.webp": lambda path: make_animation(path, [40] * 4),
    "a.png": lambda path: make_animation(path, [40] * 4),
    "a.avif": lambda path: make_animation(path, [40] * 4),
}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (
            "text.mp4",
            b"hello, world",
            "text.mp4: no film in MP4, QuickTime, Matroska, WebM and AVI",
        ),
        ("old.png", b"FLV\x01" + bytes(40), "a film (Flash) is not read, but PNG"),
    ],
)
def test_what_calls_itself_a_film_or_is_one_that_is_not_read_is_told_about_films(
    tmp_path: Path, name: str, data: bytes, words: str
) -> None:
    """Nobody opens a film in a picture editor, and saves it as a PNG."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(PictureError) as caught:
        load_image(tmp_path / name, max_pixels=100, max_bytes=1000)
    assert words in caught.value.message
    assert "MP4, QuickTime" in caught.value.message
    assert "export it again" in caught.value.hint


def refused(path: Path) -> PictureError:
    with pytest.raises(PictureError) as caught:
        opened(path)
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("name", FILMS)
def test_a_film_cut_short_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    """It is not half a film; but for its beginning, the reason says that its end is missing."""
    path = tmp_path / name
    FILMS[name](path)
    whole = path.read_bytes()
    reasons = []
    for length in range(1, len(whole), len(whole) // 25):
        path.write_bytes(whole[:length])
        error = refused(path)
        assert error.code == "picture_unreadable"
        reasons.append(error.message)
    assert "cut short, its end is missing" in reasons[-1]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_bytes_after_the_end_of_a_film_do_not_matter(tmp_path: Path, name: str) -> None:
    """As some programs add them: nothing of the film is missing."""
    path = tmp_path / name
    FILMS[name](path)
    with path.open("ab") as file:
        file.write(b"trailing bytes\n")
    with opened(path) as film:
        assert len(film.moments) == (6 if name == "a.mp4" else 4)


def test_frames_that_are_missing_inside_are_noted(tmp_path: Path) -> None:
    """In Matroska, FFmpeg ends at what it cannot read."""
    path = make_film(tmp_path / "a.mkv", 50)
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as film:
        places = [packet.pos for packet in film.demux(video=0) if packet.pos is not None]
    data[places[20] :] = bytes(len(data) - places[20])
    path.write_bytes(data)
    with opened(path) as rest:
        assert 0 < len(rest.moments) < 50
        assert any("its picture ends after" in note for note in rest.notes)


@pytest.mark.parametrize(
    "content",
    [b"", b"film", b"\0" * 5000, b"\x9e~f" * 999],
    ids=["empty", "text", "zeros", "noise"],
)
def test_what_is_no_film_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert refused(path).code == "picture_unreadable"


def test_a_still_picture_is_no_film(tmp_path: Path) -> None:
    drawn(0).save(tmp_path / "a.png")
    assert "a picture has one frame" in refused(tmp_path / "a.png").message


def test_a_film_without_pictures_is_refused(tmp_path: Path) -> None:
    """Sound alone, with a cover."""
    path, single = tmp_path / "a.mp4", make_film(tmp_path / "b.mp4", 10, sound="aac")
    with av.open(str(single)) as given, av.open(str(path), "w") as out:
        track = out.add_stream_from_template(given.streams.audio[0])
        for packet in given.demux(audio=0):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    assert "no moving picture" in refused(path).message


def test_a_codec_that_is_not_read_is_named(tmp_path: Path) -> None:
    """Those of old formats are left out: each may have holes."""
    path = make_film(tmp_path / "a.avi", 3, "cinepak", pixels="rgb24")
    assert "cinepak" in refused(path).message


def test_a_missing_film_a_link_and_a_pipe_are_told_apart(tmp_path: Path) -> None:
    """None of them is waited for."""
    assert refused(tmp_path / "a.mp4").code == "picture_missing"
    make_film(tmp_path / "b.mp4", 2)
    (tmp_path / "c.mp4").symlink_to(tmp_path / "b.mp4")
    os.mkfifo(tmp_path / "d.mp4")
    for name in ("c.mp4", "d.mp4"):
        error = refused(tmp_path / name)
        assert (error.code, error.hint) == ("picture_refused", "put a copy of the file there")


def test_frames_of_other_sizes_in_a_folder_are_refused(tmp_path: Path) -> None:
    """By the name of the first that differs; a broken frame likewise, and a link."""
    folder = make_folder(tmp_path / "shot", 4)
    drawn(0, (20, 10)).save(folder / "x002.png")
    assert "shot/x002.png: 20 x 10 pixels" in refused(folder).message
    (folder / "x002.png").write_bytes((folder / "x001.png").read_bytes()[:90])
    assert "shot/x002.png" in refused(folder).message
    (folder / "x002.png").unlink()
    (folder / "x002.png").symlink_to("x001.png")
    assert "shot/x002.png: not a regular file" in refused(folder).message


def test_a_rate_that_nobody_could_watch_is_refused(tmp_path: Path) -> None:
    times = [Fraction(number, 10_000) for number in range(1050)]
    image, last = drawn(0, (16, 16)), Fraction(1, 10_000)
    fast = make_film(
        tmp_path / "a.mp4", times, "mpeg4", size=(16, 16), last=last, draw=lambda *_: image
    )
    with pytest.raises(PictureError, match="frames a second"):
        opened(fast, limits=replace(LIMITS, frames=100_000))


def test_a_container_that_says_less_than_it_has_is_stopped(tmp_path: Path) -> None:
    """What it says is checked first, and then what comes."""
    path = make_film(tmp_path / "a.mkv", 30, "mpeg4")
    with pytest.raises(PictureError, match="at least 11 frames") as caught:
        opened(path, limits=replace(LIMITS, frames=10))
    assert caught.value.code == "picture_refused"


def box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), name) + content


def announcing(samples: int, where: str) -> bytes:
    """An MP4 that announces so many samples in a few bytes, in its table or in a fragment."""
    table = box(b"stsz", struct.pack(">3I", 0, 1, samples if where == "table" else 0))
    moov = box(b"moov", box(b"trak", box(b"mdia", box(b"minf", box(b"stbl", table)))))
    run = box(b"trun", struct.pack(">2I", 0, samples if where == "fragment" else 0))
    return box(b"ftyp", b"isom", bytes(4)) + moov + box(b"moof", box(b"traf", run)) + box(b"mdat")


@pytest.mark.parametrize("where", ["table", "fragment"])
def test_a_container_that_announces_billions_of_frames_is_refused_at_once(
    tmp_path: Path, where: str
) -> None:
    """FFmpeg would take memory for each of them."""
    path = tmp_path / "a.mp4"
    path.write_bytes(announcing(2**31 - 1, where))
    assert "announces more frames" in refused(path).message
    path.write_bytes(announcing(100, where))
    assert "announces" not in refused(path).message


def test_a_packed_head_is_refused(tmp_path: Path) -> None:
    """It could unfold to anything."""
    path = tmp_path / "a.mov"
    path.write_bytes(box(b"ftyp", b"qt  ", bytes(4)) + box(b"moov", box(b"cmov", bytes(64))))
    assert "packed" in refused(path).message


def test_an_animation_that_is_larger_than_it_says_is_refused(tmp_path: Path) -> None:
    """A later frame of a GIF may lie outside of the picture, which then grows."""
    path = make_animation(tmp_path / "a.gif", [40, 40, 40], size=(40, 30))
    data = bytearray(path.read_bytes())
    at = data.rindex(b",\0\0\0\0")
    data[at + 1 : at + 5] = struct.pack("<2H", 60_000, 60_000)
    path.write_bytes(data)
    error = refused(path)
    assert error.code == "picture_refused"
    assert "limits.film_pixels" in error.hint


class _BadDisk(io.BytesIO):
    """A file that can be read up to a place."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > 600:
            raise OSError(5, "Input/output error")
        return super().read(min(size or 512, 512) if size != -1 else 512)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.gif"])
def test_a_disk_that_fails_is_not_the_films_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    FILMS[name](path)

    def opened_again(file: BinaryIO) -> BinaryIO:
        return _BadDisk(path.read_bytes())

    monkeypatch.setattr(demux, "opened_again", opened_again)
    monkeypatch.setattr(animation, "opened_again", opened_again)
    assert refused(path).code == "io_error"


def test_a_film_that_changes_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    path = make_animation(tmp_path / "a.gif", [40] * 6)
    with opened(path) as film, pytest.raises(PictureError, match=r"changed|broken"):
        make_animation(tmp_path / "b.gif", [40] * 3)
        path.write_bytes((tmp_path / "b.gif").read_bytes())
        list(film.frames())


def test_a_film_that_is_replaced_stays_the_one_that_was_opened(tmp_path: Path) -> None:
    """As whoever replaces a file by a rename expects."""
    path = make_animation(tmp_path / "a.gif", [40] * 6)
    with opened(path) as film:
        make_animation(tmp_path / "b.gif", [40] * 3).rename(path)
        assert len(list(film.frames())) == 6


@pytest.mark.parametrize("missing", ["av", "cv2"])
def test_without_the_extra_the_reason_is_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    """For every film, also one that needs neither."""
    path = make_animation(tmp_path / "a.gif", [40, 40])
    monkeypatch.setattr(extra, "_MODULES", {missing: f"{missing}_that_is_missing"})
    monkeypatch.setattr(failures, "film_extra", extra.film_extra.__wrapped__)
    error = refused(path)
    assert error.code == "picture_unreadable"
    assert "extra `film`" in error.message
    assert error.hint.startswith("pip install 'nstd[film]'")


MEASURE = """
import re, sys
from pathlib import Path
from support.films import opened
from nstd.images.film.writer import write_film
path, out = Path(sys.argv[1]), Path(sys.argv[2])
with opened(path) as film:
    def frames():
        yield from film.frames()
    written = write_film(out, sys.argv[3], frames(), source=path, facts=film.facts, recipe="{}")
status = Path("/proc/self/status").read_text()
print(written.frames, re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])
"""


@pytest.mark.parametrize(
    ("source", "format"),
    [("a.mp4", "mp4"), ("a.gif", "gif"), ("a.gif", "apng"), ("a.webp", "webp")],
)
def test_memory_does_not_grow_with_the_length(tmp_path: Path, source: str, format: str) -> None:
    """300 frames take as much as 100, to within a quarter of the frames between."""
    size, peaks = (160, 120), {}
    for count in (100, 300):
        path = tmp_path / f"{count}{source}"
        if source == "a.mp4":
            make_film(path, count, "mpeg4", size=size)
        else:
            make_animation(path, [40] * count, size=size)
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path), str(tmp_path / f"{count}out"), format],
            cwd=CHECKOUT,
            env=os.environ | {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT}/tests"},
            capture_output=True,
            text=True,
            timeout=250,
        )
        assert not done.stderr
        frames, peak = map(int, done.stdout.split())
        assert frames == count
        peaks[count] = peak * 1024
    frame = size[0] * size[1] * 3 * 4
    assert peaks[300] - peaks[100] < 50 * frame


def test_an_unreadable_film_is_told_in_a_line(tmp_path: Path) -> None:
    """Whatever a decoder says of it can be printed."""
    Image.new("RGB", (8, 8)).save(tmp_path / "a.gif")
    path = tmp_path / "a\n\x1b.mp4"
    path.write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08moov")
    with pytest.raises(PictureError) as caught:
        opened(path)
    assert caught.value.code == "picture_unreadable"
