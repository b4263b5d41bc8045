"""Films of every kind are read: all frames, with exact times, upright, in sRGB."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image
from support.films import (
    LIMITS,
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

from nstd.errors import PictureError
from nstd.images.film.kinds import film_kind
from nstd.images.film.model import FrameChoice
from nstd.images.film.one_frame import load_frame

UNEVEN = [Fraction(each, 1000) for each in (0, 40, 100, 133, 500, 510)]


@pytest.mark.parametrize(
    ("name", "codec", "pixels", "error"),
    [
        ("a.mp4", "libx264", "yuv420p", 4),
        ("a.mp4", "libx264", "yuv444p", 4),
        ("a.mp4", "libx265", "yuv420p10le", 5),
        ("a.mp4", "libsvtav1", "yuv420p", 4),
        ("a.mp4", "mpeg4", "yuv420p", 4),
        ("a.mov", "prores_ks", "yuv422p10le", 2),
        ("a.mov", "qtrle", "rgb24", 0.01),
        ("a.mov", "mjpeg", "yuvj422p", 4),
        ("a.mkv", "libx264", "yuv420p", 4),
        ("a.mkv", "ffv1", "yuv444p", 1),
        ("a.webm", "libvpx-vp9", "yuv420p", 3),
        ("a.webm", "libvpx", "yuv420p", 6),
        ("a.avi", "mpeg4", "yuv420p", 4),
        ("a.avi", "rawvideo", "yuv420p", 3),
    ],
)
def test_each_codec_gives_the_frames_that_were_put_in(
    tmp_path: Path, name: str, codec: str, pixels: str, error: float
) -> None:
    """In order, with their times, and in their colours but for what the codec loses."""
    options = {"b": "2M"} if codec in ("libvpx", "libvpx-vp9", "mpeg4") else {}
    path = make_film(tmp_path / name, 5, codec, pixels=pixels, options=options)
    assert film_kind(path) == path.suffix[1:]
    with opened(path) as film:
        assert (film.facts.width, film.facts.height, film.facts.frames) == (64, 48, 5)
        assert [moment.time for moment in film.moments] == even(5)
        for number, frame in enumerate(film.frames()):
            assert frame.pixels.dtype == np.float32
            assert difference(frame.pixels, floats(drawn(number))) < error


def test_uneven_times_are_exact(tmp_path: Path) -> None:
    """In milliseconds here; the last frame is as long as its container says."""
    path = make_film(tmp_path / "a.mp4", UNEVEN, last=Fraction(77, 1000))
    with opened(path) as film:
        assert [moment.time for moment in film.moments] == UNEVEN
        assert film.moments[0].duration == Fraction(40, 1000)
        assert film.moments[-1].duration == Fraction(77, 1000)
        assert film.facts.rate is None
        assert film.facts.time_unit == Fraction(1, 1000)


@pytest.mark.parametrize("rate", [Fraction(30000, 1001), Fraction(24), Fraction(60)])
def test_an_even_rate_is_known_exactly(tmp_path: Path, rate: Fraction) -> None:
    """29.97 is 30,000 / 1,001."""
    path = make_film(tmp_path / "a.mp4", even(8, rate), last=1 / rate)
    with opened(path) as film:
        assert film.facts.rate == rate
        assert [moment.time for moment in film.moments] == even(8, rate)
        assert film.facts.seconds == pytest.approx(float(8 / rate))


def _turn(degrees: int, mirrored: bool) -> Callable[[VideoStream], object]:
    return lambda stream: stream.set_display_rotation(degrees, hflip=mirrored)


@pytest.mark.parametrize("degrees", [0, 90, 180, -90])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_film_is_turned_upright(tmp_path: Path, degrees: int, mirrored: bool) -> None:
    """As a telephone stores it: the rotation is counter-clockwise, mirroring follows it."""
    path = make_film(tmp_path / "a.mp4", 2, prepare=_turn(degrees, mirrored))
    expected = drawn(0).rotate(degrees, expand=True)
    if mirrored:
        expected = expected.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    (first, _) = frames_of(path)
    assert difference(first.pixels, floats(expected)) < 3


@pytest.mark.parametrize(
    ("aspect", "size"), [(Fraction(4, 3), (85, 48)), (Fraction(1, 2), (64, 96))]
)
def test_pixels_become_square(tmp_path: Path, aspect: Fraction, size: tuple[int, int]) -> None:
    """One side grows, none shrinks."""

    def prepare(stream: VideoStream) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    path = make_film(tmp_path / "a.mp4", 2, prepare=prepare)
    with opened(path) as film:
        assert film.size == size
        assert next(film.frames()).pixels.shape == (size[1], size[0], 3)


@pytest.mark.parametrize("matrix", [1, 6, 9])
@pytest.mark.parametrize("full", [False, True])
def test_colours_follow_the_tags(tmp_path: Path, matrix: int, full: bool) -> None:
    """A patch in Y, Cb and Cr comes out as H.273 computes it, to less than a level."""
    values = (120, 100, 150)

    def prepare(stream: VideoStream) -> None:
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full else 1

    path = _patch(tmp_path / "a.mkv", values, prepare)
    (frame, *_) = frames_of(path)
    red, blue = {1: (0.2126, 0.0722), 6: (0.299, 0.114), 9: (0.2627, 0.0593)}[matrix]
    luma = values[0] / 255 if full else (values[0] - 16) / 219
    cb, cr = ((each - 128) / (255 if full else 224) for each in values[1:])
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    expected = (r, (luma - red * r - blue * b) / (1 - red - blue), b)
    assert frame.pixels[20, 20] * 255 == pytest.approx(np.array(expected) * 255, abs=0.2)


def _patch(
    path: Path, values: tuple[int, int, int], prepare: Callable[[VideoStream], object]
) -> Path:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        prepare(stream)
        frame = av.VideoFrame(64, 48, "yuv420p")
        for plane, value in zip(frame.planes, values, strict=True):
            plane.update(bytes([value]) * plane.buffer_size)
        frame.colorspace = stream.codec_context.colorspace
        frame.color_range = stream.codec_context.color_range
        frame.pts = 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def test_high_dynamic_range_is_brought_to_srgb_and_noted(tmp_path: Path) -> None:
    """PQ of 58 % is the white of pictures, 203 cd/m2 (BT.2408)."""

    def prepare(stream: VideoStream) -> None:
        context = stream.codec_context
        context.color_range, context.colorspace = 2, 9
        context.color_primaries, context.color_trc = 9, 16

    path = _patch(tmp_path / "a.mkv", (148, 128, 128), prepare)
    with opened(path) as film:
        assert "light brighter than white was cut off" in film.notes
        (frame, *_) = film.frames()
    assert frame.pixels[20, 20] == pytest.approx([1, 1, 1], abs=0.03)


@pytest.mark.parametrize(
    ("name", "codec", "pixels"),
    [
        ("a.mov", "prores_ks", "yuva444p10le"),
        ("a.mov", "qtrle", "argb"),
        ("a.webm", "libvpx-vp9", "yuva420p"),
        ("a.webm", "libvpx", "yuva420p"),
    ],
)
def test_transparency_is_read(tmp_path: Path, name: str, codec: str, pixels: str) -> None:
    """Of films that have any."""
    options = {"b": "2M", "auto-alt-ref": "0"} if name == "a.webm" else {}
    path = make_film(
        tmp_path / name,
        3,
        codec,
        pixels=pixels,
        options=options,
        draw=lambda number, size: drawn(number, size, alpha=True),
    )
    for frame in frames_of(path):
        assert frame.alpha is not None
        assert frame.alpha[:, :36].min() > 0.98
        assert frame.alpha[:, 44:52].max() < 0.02


ANIMATED: dict[str, tuple[list[float], float, dict[str, Any]]] = {
    "a.gif": ([100, 50, 200, 30], 6, {"loop": 0}),
    "a.webp": ([100, 50, 200, 33], 4, {"loop": 3, "quality": 95}),
    "a.png": ([100, 50, 200, 100 / 3], 0.01, {"loop": 2}),
    "a.avif": ([100, 50, 200, 33], 4, {"quality": 95}),
}


@pytest.mark.parametrize("name", ANIMATED)
def test_animated_pictures_are_read(tmp_path: Path, name: str) -> None:
    """With the times of each frame, and how often they are played."""
    durations, error, options = ANIMATED[name]
    path = make_animation(tmp_path / name, durations, **options)
    with opened(path) as film:
        exact = [Fraction(each / 1000).limit_denominator(1000) for each in durations]
        assert [moment.duration for moment in film.moments] == exact
        assert film.facts.loops == options.get("loop", 0)
        assert film.facts.seconds == pytest.approx(sum(durations) / 1000)
        assert not film.facts.has_alpha
        for number, frame in enumerate(film.frames()):
            assert difference(frame.pixels, floats(drawn(number, (41, 30)))) < error


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_transparency_of_animated_pictures_is_read(tmp_path: Path, name: str) -> None:
    path = make_animation(tmp_path / name, [100, 100], alpha=True, disposal=2)
    for frame in frames_of(path):
        assert frame.alpha is not None
        assert frame.alpha.min() == 0
        assert frame.alpha.max() == 1


@pytest.mark.parametrize(("loop", "played"), [(None, 1), (0, 0), (1, 2), (5, 6)])
def test_a_gif_says_how_often_it_is_played_again(
    tmp_path: Path, loop: int | None, played: int
) -> None:
    options: dict[str, Any] = {} if loop is None else {"loop": loop}
    with opened(make_animation(tmp_path / "a.gif", [50, 50], **options)) as film:
        assert film.facts.loops == played


def test_frames_of_no_duration_are_shown_as_in_browsers(tmp_path: Path) -> None:
    """For a tenth of a second, and a note says so."""
    path = make_animation(tmp_path / "a.gif", [0, 10, 20])
    with opened(path) as film:
        assert [float(moment.duration) for moment in film.moments] == [0.1, 0.1, 0.02]
        assert "as browsers do" in film.notes[0]


def test_the_picture_before_an_apng_is_not_its_first_frame(tmp_path: Path) -> None:
    """The default image is for viewers that show no animations."""
    images = [drawn(number) for number in range(4)]
    images[0].save(
        tmp_path / "a.png",
        save_all=True,
        append_images=images[1:],
        default_image=True,
        duration=[40] * 4,
    )
    frames = frames_of(tmp_path / "a.png")
    assert len(frames) == 3
    assert difference(frames[0].pixels, floats(drawn(1))) == 0


def test_a_folder_of_frames_is_read_in_the_order_of_numbers(tmp_path: Path) -> None:
    """`x10` follows `x9`; hidden files and other files are not frames."""
    path = make_folder(tmp_path / "shot", 12, name="x{}.png")
    (path / ".x99.png").write_bytes(b"")
    (path / "Thumbs.db").write_bytes(b"")
    with opened(path) as film:
        assert film.facts.rate == 24
        assert len(film.moments) == 12
        for number, frame in enumerate(film.frames()):
            assert difference(frame.pixels, floats(drawn(number, (41, 30)))) == 0


def test_the_speed_of_a_folder_is_what_was_asked_for(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "shot", 4)
    with opened(path, FrameChoice(fps=Fraction(12))) as film:
        assert [moment.time for moment in film.moments] == even(4, 12)


def test_gaps_in_the_numbers_of_a_folder_are_noted(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "shot", 5)
    (path / "x002.png").unlink()
    with opened(path) as film:
        assert len(film.moments) == 4
        assert any("1 number is missing" in note for note in film.notes)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ((), "shot: a folder without files"),
        (("a.txt", "b.txt"), "shot: a folder without a picture: 2 other files"),
        (("a.png", "b.PNG", "c.txt"), "shot: a folder of 2 pictures without a number in the name"),
        (("x1.png", "x2.png", "y2.jpg"), "two of its frames have the number 2: x2.png and y2.jpg"),
    ],
)
def test_a_folder_that_is_no_film_is_told_in_words_of_its_own(
    tmp_path: Path, names: tuple[str, ...], words: str
) -> None:
    folder = tmp_path / "shot"
    (folder / "7.png").mkdir(parents=True)  # a folder is no frame
    for name in names:
        (folder / name).write_bytes(b"")
    with pytest.raises(PictureError) as caught:
        opened(folder)
    assert words in caught.value.message
    assert "its frames 0001.png" in caught.value.hint or "remove one" in caught.value.hint


def test_pictures_without_a_number_beside_the_frames_are_noted(tmp_path: Path) -> None:
    path = make_folder(tmp_path / "shot", 2)
    drawn(0).save(path / "cover.png")
    with opened(path) as film:
        assert "1 picture is left out, with no number in the name" in film.notes


def test_a_frame_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    """In the words of the name `a.gif#7`, which knows nothing of `output.frames`."""
    path = make_animation(tmp_path / "a.gif", [40] * 3)
    assert difference(load_frame(path, 2, LIMITS).pixels, floats(drawn(2, (41, 30)))) < 9
    with pytest.raises(PictureError, match=r"a\.gif: it has 3 frames, and no #7") as caught:
        load_frame(path, 7, LIMITS)
    assert caught.value.hint == "name one from #0 to #2"


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "shot"])
def test_reading_may_begin_anywhere_and_be_repeated(tmp_path: Path, name: str) -> None:
    """To the same pixels, even while another reading goes on."""
    path = tmp_path / name
    if name == "shot":
        make_folder(path, 6)
    elif name == "a.gif":
        make_animation(path, [40] * 6)
    else:
        make_film(path, 6)
    with opened(path) as film:
        every = list(film.frames())
        for start in (0, 3, 5):
            first = film.frames(start)
            again = film.frames(start)
            for given, other, expected in zip(first, again, every[start:], strict=True):
                assert given.moment == other.moment == expected.moment
                assert (given.pixels == expected.pixels).all()
                assert (other.pixels == expected.pixels).all()
        assert list(film.frames(6)) == []


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "shot"])
def test_frames_have_the_size_that_was_asked_for(tmp_path: Path, name: str) -> None:
    """At most `max_side`; with `enlarge` exactly that, and a note."""
    path = tmp_path / name
    if name == "shot":
        make_folder(path, 2, size=(64, 48))
    elif name == "a.gif":
        make_animation(path, [40] * 2, size=(64, 48))
    else:
        make_film(path, 2)
    sizes = {(32, False): (32, 24), (100, False): (64, 48), (100, True): (100, 75)}
    for (side, enlarge), (width, height) in sizes.items():
        with opened(path, max_side=side, enlarge=enlarge) as film:
            assert film.size == (width, height)
            assert (film.facts.width, film.facts.height) == (64, 48)
            assert {frame.pixels.shape for frame in film.frames()} == {(height, width, 3)}
            assert any("enlarged" in note for note in film.notes) == enlarge


def test_a_cover_is_not_the_film(tmp_path: Path) -> None:
    """Nor is a second moving picture taken without a note."""
    path = tmp_path / "a.mkv"
    make_film(tmp_path / "b.mkv", 3)
    with av.open(str(tmp_path / "b.mkv")) as source, av.open(str(path), "w") as out:
        streams = [out.add_stream_from_template(source.streams.video[0]) for _ in range(2)]
        for packet in source.demux(video=0):
            if packet.dts is None:
                continue
            for stream in streams:
                packet.stream = stream
                out.mux(packet)
    with opened(path) as film:
        assert len(film.moments) == 3
        assert any("several moving pictures" in note for note in film.notes)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "libx264", {"bf": "3"}),
        ("a.mp4", "libx265", {"bf": "3"}),
        ("a.mkv", "libx264", {"bf": "3", "x264-params": "open-gop=1:keyint=5"}),
        ("a.avi", "mpeg4", {"bf": "2"}),
    ],
)
def test_frames_that_are_stored_in_another_order_come_in_that_of_their_times(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    """As most encoders store them."""

    def prepare(stream: VideoStream) -> None:
        stream.codec_context.max_b_frames = 3

    path = make_film(tmp_path / name, 12, codec, options=options, prepare=prepare)
    with opened(path) as film:
        assert not film.notes
        assert [moment.time for moment in film.moments] == even(12)
        for number, frame in enumerate(film.frames()):
            errors = [difference(frame.pixels, floats(drawn(other))) for other in range(12)]
            assert errors.index(min(errors)) == number


def test_an_old_avi_without_times_keeps_all_its_frames(tmp_path: Path) -> None:
    """H.264 in AVI has no times for frames in another order."""

    def prepare(stream: VideoStream) -> None:
        stream.codec_context.max_b_frames = 3

    path = make_film(tmp_path / "a.avi", 12, options={"bf": "3"}, prepare=prepare)
    with opened(path) as film:
        assert len(film.moments) == 12


def test_interlaced_films_are_noted(tmp_path: Path) -> None:
    path = make_film(tmp_path / "a.mp4", 4, options={"x264-params": "tff=1"})
    with opened(path) as film:
        assert len(film.moments) == 4
        assert any("interlaced" in note for note in film.notes)


@pytest.mark.parametrize("name", ["a.mp4", "a.gif"])
def test_some_frames_are_those_of_the_whole(tmp_path: Path, name: str) -> None:
    """With their times; in one reading, whichever they are."""
    path = tmp_path / name
    make_film(path, 6) if name == "a.mp4" else make_animation(path, [40] * 6)
    with opened(path) as film:
        every, some = list(film.frames()), list(film.frames_at([1, 2, 5]))
    wanted = [every[index] for index in (1, 2, 5)]
    assert [frame.moment for frame in some] == [frame.moment for frame in wanted]
    for frame, like in zip(some, wanted, strict=True):
        assert np.array_equal(frame.pixels, like.pixels)
