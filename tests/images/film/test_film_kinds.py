"""What a film is, is told by its bytes, in bounded time, and without a decoder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.films import drawn, make_animation, make_film, make_folder

from nstd.images.film.kinds import film_kind, output_format


@pytest.mark.parametrize(
    ("name", "codec", "kind", "comes_out"),
    [
        ("a.mp4", "libx264", "mp4", "mp4"),
        ("a.mov", "libx264", "mov", "mp4"),
        ("a.mkv", "libx264", "mkv", "mp4"),
        ("a.webm", "libvpx-vp9", "webm", "webm"),
        ("a.avi", "mpeg4", "avi", "mp4"),
    ],
)
def test_film_files_are_known_by_their_bytes(
    tmp_path: Path, name: str, codec: str, kind: str, comes_out: str
) -> None:
    """Not by their names."""
    path = make_film(tmp_path / name, 2, codec).rename(tmp_path / "film")
    found = film_kind(path)
    assert found == kind
    assert output_format(found) == comes_out


@pytest.mark.parametrize(
    ("suffix", "kind", "comes_out"),
    [
        ("gif", "gif", "gif"),
        ("webp", "webp", "webp"),
        ("png", "apng", "apng"),
        ("avif", "avif", "webp"),
    ],
)
def test_animated_pictures_are_films_and_still_ones_are_not(
    tmp_path: Path, suffix: str, kind: str, comes_out: str
) -> None:
    """Also one of a single frame in a file for several is a still picture."""
    moving = make_animation(tmp_path / f"moving.{suffix}", [40, 40])
    assert film_kind(moving) == kind
    assert output_format(kind) == comes_out
    drawn(0).save(tmp_path / f"still.{suffix}")
    assert film_kind(tmp_path / f"still.{suffix}") is None
    single = make_animation(tmp_path / f"single.{suffix}", [40])
    assert film_kind(single) is None


@pytest.mark.parametrize("suffix", ["jpg", "bmp", "tiff", "ppm"])
def test_pictures_of_other_kinds_are_no_films(tmp_path: Path, suffix: str) -> None:
    drawn(0).save(tmp_path / f"a.{suffix}")
    assert film_kind(tmp_path / f"a.{suffix}") is None


def test_a_folder_is_a_film_if_it_has_a_numbered_picture(tmp_path: Path) -> None:
    """A folder of other files, an empty one, and what is no file or folder are none."""
    assert film_kind(make_folder(tmp_path / "shot", 1)) == "frames"
    other = tmp_path / "other"
    other.mkdir()
    assert film_kind(other) is None
    drawn(0).save(other / "beach.png")
    (other / "notes 2.txt").write_text("")
    drawn(0).save(other / ".hidden1.png")
    assert film_kind(other) is None
    assert film_kind(tmp_path / "missing") is None
    (tmp_path / "link").symlink_to(tmp_path / "shot")
    assert film_kind(tmp_path / "link") is None


def test_asking_loads_no_decoder(tmp_path: Path) -> None:
    """The daemon asks too, which loads neither NumPy nor Pillow."""
    path = make_animation(tmp_path / "a.gif", [40, 40])
    code = (
        "import sys; from pathlib import Path; from nstd.images.film.kinds import film_kind;"
        "print(film_kind(Path(sys.argv[1])), {'numpy', 'PIL', 'av', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "gif set()\n", done.stderr


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "avif", "mp4", "mkv", "avi"])
def test_a_film_cut_anywhere_ends_the_asking(tmp_path: Path, suffix: str) -> None:
    """In either answer, and no exception."""
    path = tmp_path / f"a.{suffix}"
    if suffix in ("mp4", "mkv", "avi"):
        make_film(path, 2, "mpeg4")
    else:
        make_animation(path, [40, 40])
    whole = path.read_bytes()
    for length in range(0, min(len(whole), 2000), 13):
        path.write_bytes(whole[:length])
        film_kind(path)


ENDLESS = {
    "GIF of extensions": b"GIF89a\x01\0\x01\0\0\0\0" + b"!\xfe\0" * 500_000,
    "GIF of one extension": b"GIF89a\x01\0\x01\0\0\0\0!\xfe" + b"\1x" * 500_000,
    "WebP": b"RIFF\0\0\0\0WEBP" + b"ABCD\0\0\0\0" * 400_000,
    "PNG": b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0abcd\0\0\0\0" * 400_000,
    "AVIF": b"\0\0\0\x14ftypavis\0\0\0\0avis" + b"\0\0\0\x08free" * 400_000,
    "Matroska": b"\x1aE\xdf\xa3" + b"\x42\x82\xff" * 1000,
}


@pytest.mark.parametrize("name", ENDLESS)
def test_files_of_endless_parts_end_the_asking(tmp_path: Path, name: str) -> None:
    """A bounded number of parts is looked at; none of these is a film."""
    (tmp_path / "a").write_bytes(ENDLESS[name])
    assert film_kind(tmp_path / "a") is None
