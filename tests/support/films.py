"""Films that tests make themselves: drawn frames, with and without sound, in every container."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.container import OutputContainer
from av.container.core import Flags as ContainerFlags
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from nstd.images.film.model import FilmLimits, Frame, FrameChoice
from nstd.images.film.reader import Film, open_film

Array = NDArray[np.float32]
LIMITS = FilmLimits(frames=1000, seconds=600, pixels=1_000_000, bytes=100_000_000)
SOUND_RATE = 44_100
TONE = 440
"""Hertz of the sound."""
_LOUD = 0.05


def even(count: int, rate: int | Fraction = 25) -> list[Fraction]:
    """The times, in seconds, of so many frames, `rate` in a second."""
    return [Fraction(number) / rate for number in range(count)]


def drawn(number: int, size: tuple[int, int] = (64, 48), *, alpha: bool = False) -> Image.Image:
    """Frame `number`, from 0: a square that moves right over a ramp, and a mark at the top left."""
    width, height = size
    ramp = np.linspace(40, 200, width, dtype=np.float32)[None, :, None]
    pixels = np.broadcast_to(ramp, (height, width, 3)).copy()
    pixels[:, :, 1] = 90 + 3 * (number % 20)
    pixels[: height // 3, : width // 3] = (200, 60, 40)
    left = (5 * number) % (width - width // 4)
    pixels[height // 2 :, left : left + width // 4] = (50, 80, 190)
    image = Image.fromarray(pixels.astype(np.uint8))
    if alpha:
        cover = np.full((height, width), 255, np.uint8)
        cover[:, width * 5 // 8 : width * 7 // 8] = 0
        image.putalpha(Image.fromarray(cover))
    return image


def floats(image: Image.Image) -> Array:
    """(height, width, channels) in [0, 1]."""
    return np.asarray(image, np.float32) / np.float32(255)


def make_film(
    path: Path,
    times: Sequence[Fraction] | int = 6,
    codec: str = "libx264",
    *,
    container: str | None = None,
    size: tuple[int, int] = (64, 48),
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
    last: Fraction = Fraction(1, 25),
    sound: str | None = None,
    sound_start: Fraction = Fraction(0),
    prepare: Callable[[VideoStream], object] = lambda stream: None,
    draw: Callable[[int, tuple[int, int]], Image.Image] = drawn,
) -> Path:
    """A film with a frame of `drawn` at each of the times, or so many at 25 in a second.

    `last` is the duration of the last frame, in seconds; `sound` the encoder of a tone that is as
    long as the film. `prepare` may change the stream before the first frame.
    """
    times = even(times) if isinstance(times, int) else times
    parts = [time.denominator for time in (*times, last)]
    # of all containers, AVI has no times but multiples of its rate
    unit = Fraction(1, math.lcm(*parts, 25 if path.suffix == ".avi" else 1000))
    with av.open(str(path), "w", container) as out:
        out.flags |= cast(int, ContainerFlags.bitexact.value)  # the same film is the same file
        stream = out.add_stream(codec, rate=25, options=options or {})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.time_base = stream.codec_context.time_base = unit
        stream.codec_context.max_b_frames = 0
        stream.codec_context.flags |= Flags.frame_duration
        prepare(stream)
        track = None if sound is None else _track(out, sound)
        ends = [*times[1:], times[-1] + last]
        for number, (time, end) in enumerate(zip(times, ends, strict=True)):
            image = draw(number, size)
            form = {"RGB": "rgb24", "RGBA": "rgba"}[image.mode]
            frame = av.VideoFrame.from_ndarray(np.asarray(image), form)
            frame = frame.reformat(format=pixels, dst_colorspace="ITU601", dst_color_range="MPEG")
            frame.pts, frame.time_base = int(time / unit), unit
            frame.duration = int((end - time) / unit)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if track is not None:
            _add_tone(out, track, times[-1] + last, sound_start)
    return path


def _track(out: OutputContainer, codec: str) -> AudioStream:
    rate = 48_000 if codec == "libopus" else SOUND_RATE
    stream = out.add_stream(codec, rate=rate, layout="mono")
    assert isinstance(stream, AudioStream)
    return stream


def _add_tone(out: OutputContainer, track: AudioStream, end: Fraction, start: Fraction) -> None:
    samples = int((end - start) * SOUND_RATE)
    wave = (np.sin(np.arange(samples) * 2 * np.pi * TONE / SOUND_RATE) * 8000).astype(np.int16)
    for at in range(0, samples, 1024):
        frame = av.AudioFrame.from_ndarray(wave[None, at : at + 1024].copy(), "s16", "mono")
        frame.sample_rate, frame.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
        frame.pts = at + int(start * SOUND_RATE)
        out.mux(track.encode(frame))
    out.mux(track.encode(None))


def make_animation(
    path: Path,
    durations: Sequence[float],
    *,
    size: tuple[int, int] = (41, 30),
    alpha: bool = False,
    **options: Any,
) -> Path:
    """An animated picture by Pillow, whose frames last so many milliseconds."""
    images = [drawn(number, size, alpha=alpha) for number in range(len(durations))]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=list(durations), **options
    )
    return path


def make_folder(
    path: Path, count: int = 4, *, size: tuple[int, int] = (41, 30), name: str = "x{:03}.png"
) -> Path:
    """A folder of numbered pictures."""
    path.mkdir()
    for number in range(count):
        drawn(number, size).save(path / name.format(number))
    return path


def opened(path: Path, choice: FrameChoice | None = None, **options: Any) -> Film:
    """The film at `path`, within `LIMITS`."""
    return open_film(path, **{"limits": LIMITS, "choice": choice or FrameChoice(), **options})


def frames_of(path: Path, choice: FrameChoice | None = None, **options: Any) -> list[Frame]:
    """All frames of a film."""
    with opened(path, choice, **options) as film:
        return list(film.frames())


def difference(ours: Array, theirs: Array) -> float:
    """The mean absolute difference of two pictures, in levels of 255."""
    assert ours.shape == theirs.shape
    return float(np.abs(ours - theirs).mean()) * 255


def tone_of(path: Path) -> list[tuple[float, float, float]]:
    """When the tone is heard in each track of sound: from when, for how long, and how high.

    In seconds and Hertz; an encoder's silence before it does not count.
    """
    found = []
    with av.open(str(path)) as film:
        tracks = [stream.index for stream in film.streams.audio]
    for index in tracks:
        with av.open(str(path)) as film:
            stream = film.streams[index]
            resampler = av.AudioResampler("fltp", "mono", SOUND_RATE)
            frames = [
                frame
                for decoded in film.decode(stream)
                if isinstance(decoded, av.AudioFrame)
                for frame in resampler.resample(decoded)
            ]
        if not frames:
            continue
        wave = np.concatenate([frame.to_ndarray()[0] for frame in frames])
        (heard,) = np.nonzero(np.abs(wave) > _LOUD)
        if not len(heard):
            continue
        first, tone = frames[0], wave[heard[0] : heard[-1] + 1]
        assert first.pts is not None and first.time_base is not None
        start = float(first.pts * first.time_base) + heard[0] / SOUND_RATE
        pitch = float(np.abs(np.fft.rfft(tone))[1:].argmax() + 1) * SOUND_RATE / len(tone)
        found.append((start, len(tone) / SOUND_RATE, pitch))
    return found
