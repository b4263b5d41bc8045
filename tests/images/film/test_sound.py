"""Sound stays in step: copied where the format takes it, else encoded again, which is noted."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import av
import pytest
from support.films import TONE, even, make_film, opened, tone_of

from nstd.images.film.kinds import FilmFormat
from nstd.images.film.model import FrameChoice, WrittenFilm
from nstd.images.film.writer import write_film

needs_ffprobe = pytest.mark.skipif(shutil.which("ffprobe") is None, reason="needs ffprobe")


def written(
    source: Path, format: FilmFormat, choice: FrameChoice | None = None
) -> tuple[Path, WrittenFilm]:
    """The film once more, in another format, with its sound."""
    path = source.with_name(f"out.{format}")
    path.unlink(missing_ok=True)
    with opened(source, choice) as film:
        made = write_film(
            path,
            format,
            film.frames(),
            source=source,
            facts=film.facts,
            choice=choice or FrameChoice(),
            recipe="{}",
        )
    return path, made


def packets(path: Path) -> list[bytes]:
    """The sound as it is stored."""
    with av.open(str(path)) as film:
        return [bytes(packet) for packet in film.demux(audio=0) if packet.size]


@pytest.mark.parametrize(
    ("name", "codec", "sound", "format"),
    [
        ("a.mp4", "libx264", "aac", "mp4"),
        ("a.mov", "libx264", "aac", "mp4"),
        ("a.mkv", "libx264", "ac3", "mp4"),
        ("a.mkv", "libx264", "flac", "mp4"),
        ("a.avi", "mpeg4", "libmp3lame", "mp4"),
        ("a.mov", "libx264", "alac", "mp4"),
        ("a.webm", "libvpx-vp9", "libopus", "webm"),
        ("a.webm", "libvpx-vp9", "libopus", "mp4"),
    ],
)
def test_sound_is_copied_where_the_format_takes_it(
    tmp_path: Path, name: str, codec: str, sound: str, format: FilmFormat
) -> None:
    """Byte for byte, and from the same moment on."""
    source = make_film(tmp_path / name, 25, codec, sound=sound)
    path, made = written(source, format)
    assert made.notes == ()
    assert packets(path) == packets(source)
    ((start, length, pitch),) = tone_of(path)
    ((start_before, length_before, _),) = tone_of(source)
    assert start == pytest.approx(start_before, abs=0.003)
    assert length == pytest.approx(length_before, abs=0.02)
    assert pitch == pytest.approx(TONE, abs=2)


@pytest.mark.parametrize(
    ("name", "codec", "sound", "format", "said"),
    [
        ("a.mov", "libx264", "pcm_s16le", "mp4", "as AAC: MP4 takes no pcm_s16le"),
        ("a.mkv", "libx264", "mp2", "mp4", "as AAC: MP4 takes no mp2"),
        ("a.mp4", "libx264", "aac", "webm", "as Opus: WebM takes no aac"),
    ],
)
def test_sound_that_the_format_does_not_take_is_encoded_again(
    tmp_path: Path, name: str, codec: str, sound: str, format: FilmFormat, said: str
) -> None:
    source = make_film(tmp_path / name, 25, codec, sound=sound)
    path, made = written(source, format)
    assert made.notes == (f"its sound was encoded again, {said}",)
    ((start, length, pitch),) = tone_of(path)
    assert start == pytest.approx(0, abs=0.03)
    assert length == pytest.approx(1, abs=0.06)
    assert pitch == pytest.approx(TONE, abs=2)


@pytest.mark.parametrize(
    ("choice", "seconds"),
    [(FrameChoice(first=26, last=48), 1), (FrameChoice(last=10), 0.4), (FrameChoice(first=51), 1)],
)
def test_the_sound_of_a_part_is_that_part(
    tmp_path: Path, choice: FrameChoice, seconds: float
) -> None:
    """A tone begins after two seconds: it is heard where it was."""
    source = make_film(tmp_path / "a.mp4", 75, sound="aac", sound_start=Fraction(2))
    path, made = written(source, "mp4", choice)
    if choice.first < 51:
        assert tone_of(path) == []
        return
    assert made.notes == ("its sound was encoded again, as AAC: it was cut",)
    ((start, length, pitch),) = tone_of(path)
    assert start == pytest.approx(0, abs=0.03)
    assert length == pytest.approx(seconds, abs=0.06)
    assert pitch == pytest.approx(TONE, abs=2)


def test_a_cut_keeps_sound_in_step(tmp_path: Path) -> None:
    """Half a second of silence is left before the tone, of two."""
    times = even(75)
    source = make_film(tmp_path / "a.mp4", times, sound="aac", sound_start=Fraction(2))
    path, _ = written(source, "mp4", FrameChoice(first=38, last=63))
    ((start, length, _),) = tone_of(path)
    assert start == pytest.approx(2 - 37 / 25, abs=0.03)
    assert start + length == pytest.approx(26 / 25, abs=0.06)


@pytest.mark.parametrize("choice", [FrameChoice(every=5), FrameChoice(fps=Fraction(5))])
def test_fewer_frames_do_not_cut_the_sound(tmp_path: Path, choice: FrameChoice) -> None:
    source = make_film(tmp_path / "a.mp4", 25, sound="aac")
    path, made = written(source, "mp4", choice)
    assert made.frames == 5
    assert made.notes == ()
    assert packets(path) == packets(source)


def test_every_track_is_kept(tmp_path: Path) -> None:
    """A film may speak two languages."""
    single, source = make_film(tmp_path / "b.mkv", 25, sound="aac"), tmp_path / "a.mkv"
    with av.open(str(single)) as given, av.open(str(source), "w") as out:
        video = out.add_stream_from_template(given.streams.video[0])
        tracks = [out.add_stream_from_template(given.streams.audio[0]) for _ in range(2)]
        for packet in given.demux():
            if packet.dts is None:
                continue
            for stream in [video] if packet.stream.type == "video" else tracks:
                packet.stream = stream
                out.mux(packet)
    path, _ = written(source, "mp4")
    assert [round(pitch / TONE) for _, _, pitch in tone_of(path)] == [1, 1]


@pytest.mark.parametrize("format", ["gif", "webp", "apng"])
def test_formats_without_sound_say_so(tmp_path: Path, format: FilmFormat) -> None:
    source = make_film(tmp_path / "a.mp4", 5, sound="aac")
    _, made = written(source, format)
    assert any("no sound" in note for note in made.notes)


def test_broken_sound_does_not_cost_the_film(tmp_path: Path) -> None:
    """What cannot be decoded is left out, with a note."""
    source = make_film(tmp_path / "a.mov", 50, sound="aac")
    data = bytearray(source.read_bytes())
    for packet in packets(source)[20:40]:
        at = data.find(packet)
        data[at : at + len(packet)] = b"\xff" * len(packet)
    source.write_bytes(data)
    path, made = written(source, "webm")
    assert made.frames == 50
    assert any("broken" in note for note in made.notes)
    assert tone_of(path)


def test_sound_that_the_format_would_choke_on_is_encoded_again(tmp_path: Path) -> None:
    """MP4 takes E-AC-3, but not this: it is tried before the film is begun, which is not lost."""
    source = make_film(tmp_path / "a.mkv", 25, sound="eac3")
    data = bytearray(source.read_bytes())
    at = data.find(packets(source)[5])
    data[at : at + 8] = bytes(8)
    source.write_bytes(data)
    path, made = written(source, "mp4")
    assert made.notes[0] == "its sound was encoded again, as AAC: it is damaged"
    ((_, length, pitch),) = tone_of(path)
    assert length == pytest.approx(1, abs=0.1)
    assert pitch == pytest.approx(TONE, abs=3)


def test_sound_of_a_kind_that_is_not_read_is_left_out(tmp_path: Path) -> None:
    source = make_film(tmp_path / "a.avi", 5, "mpeg4", sound="adpcm_swf")
    path, made = written(source, "mp4")
    assert made.notes == ("its sound is of a kind that is not read, and was left out",)
    with av.open(str(path)) as film:
        assert not film.streams.audio


@pytest.mark.parametrize("format", ["mp4", "webm"])
def test_sound_before_the_first_frame_is_kept(tmp_path: Path, format: FilmFormat) -> None:
    """Half a second of it; the frames begin as much later, as in the source."""
    times = [Fraction(1, 2) + time for time in even(25)]
    codec, track = ("libx264", "aac") if format == "mp4" else ("libvpx-vp9", "libopus")
    source = make_film(tmp_path / f"a.{format}", times, codec, sound=track)
    path, made = written(source, format)
    assert made.notes == ()
    ((start, length, _),) = tone_of(path)
    assert start == pytest.approx(0, abs=0.03)
    assert length == pytest.approx(1.5, abs=0.06)
    with opened(path) as film:
        assert float(film.facts.start) - start == pytest.approx(0.5, abs=0.03)


@needs_ffprobe
def test_another_reader_sees_the_same_sound(tmp_path: Path) -> None:
    """The same packets at the same times, by ffprobe."""
    source = make_film(tmp_path / "a.mp4", 50, sound="aac")
    path, _ = written(source, "mp4")

    def probed(film: Path) -> str:
        return subprocess.run(
            [
                "ffprobe", "-v", "error", "-select_streams", "a:0", "-show_entries",
                "packet=pts_time,duration_time,size:stream=codec_name,sample_rate,channels",
                "-of", "csv", str(film),
            ],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout  # fmt: skip

    assert probed(path) == probed(source)
