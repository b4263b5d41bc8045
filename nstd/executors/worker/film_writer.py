"""Writes what a film becomes: its file with sound and recipe, a sheet of frames, small previews."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from nstd.backend import Result
from nstd.executors.contract import Assignment
from nstd.executors.worker.film_frames import FrameStore
from nstd.executors.worker.film_input import choice_of, seen, spread
from nstd.executors.worker.result_writer import ResultWriter
from nstd.images.alpha import off_white
from nstd.images.film.model import Frame, Moment, WrittenFilm
from nstd.images.film.sheet import draw_sheet
from nstd.images.film.small import smaller
from nstd.images.film.writer import write_film
from nstd.queue.result import PictureFacts
from nstd.system.durable import Files
from nstd.system.folder_digest import digest_of_folder

if TYPE_CHECKING:
    from nstd.images.film.kinds import FilmFormat
    from nstd.images.film.reader import Film

PREVIEW_SIDE = 640
"""Longest side of a moving preview, in pixels."""
_WITH_ALPHA = {"webm", "gif", "webp", "apng", "frames"}
_WITH_SOUND = {"mp4", "webm"}


class FilmWriter(ResultWriter):
    """Writes into the folder of the job; `tick` is called for each frame that is written."""

    def __init__(self, assignment: Assignment, files: Files, tick: Callable[[], None]) -> None:
        super().__init__(assignment, files)
        self._tick, self._source = tick, assignment.folder / self._job.given("content")[0].file

    def write(
        self, film: Film, store: FrameStore, result: Result
    ) -> tuple[PictureFacts, tuple[str, ...]]:
        """Encode and write the film; its facts, and notes about it. Raises OSError."""
        target, has_alpha = self._paths.picture(self._job), self._job.format in _WITH_ALPHA
        format, draft = cast("FilmFormat", self._job.format), self._draft(target)
        assert self._job.film is not None
        written = write_film(
            draft,
            format,
            self._stored(film.moments, store, has_alpha=has_alpha),
            source=self._source,
            facts=film.facts,
            choice=choice_of(self._job.film),
            recipe=self.recipe(result),
        )
        sha256, size = self._put(draft, target)
        has_sound = film.facts.has_sound and format in _WITH_SOUND
        return _facts(written, sha256, size, has_sound=has_sound), written.notes

    def _draft(self, target: Path) -> Path:
        """A path for an unfinished file or folder, which does not exist."""
        draft = target.with_name(f".{target.name}.tmp")
        for path in (draft, target):
            if path.is_dir():
                self._files.remove_tree(path)
        self._files.unlink(draft)
        self._files.step("create", draft)
        return draft

    def _stored(
        self, moments: tuple[Moment, ...], store: FrameStore, *, has_alpha: bool
    ) -> Iterator[Frame]:
        """The finished frames, with transparency if the format has it."""
        for number, moment in enumerate(moments, start=1):
            self._tick()
            pixels, alpha = store.read(number)
            if alpha is not None and has_alpha:
                pixels, alpha = off_white(pixels, alpha)
            yield Frame(moment, pixels, alpha if has_alpha else None)

    def _put(self, draft: Path, target: Path) -> tuple[str, int]:
        """Make the file or folder durable, under its name; its SHA-256 and its bytes."""
        if not draft.is_dir():
            self._files.sync_and_rename(draft, target)
            return _digest(target), target.stat().st_size
        for path in sorted(draft.iterdir()):
            self._files.sync(path)
        self._files.sync_folder(draft)
        self._files.rename(draft, target)
        files = sorted(target.iterdir())
        digest = digest_of_folder((path.name, _digest(path)) for path in files)
        return digest, sum(path.stat().st_size for path in files)

    def write_sheet(self, film: Film, store: FrameStore) -> None:
        """Write `sheet.png`: some frames from the whole length of the film, with their times."""
        frames = [
            (float(film.moments[index].time), smaller(store.read(index + 1)[0], PREVIEW_SIDE // 2))
            for index in spread(len(film.moments))
        ]
        self._files.write(self._paths.sheet, draw_sheet(frames))

    def write_previews(self, film: Film, store: FrameStore) -> None:
        """Write small silent films of the content and of the result, for the gallery."""
        contents = (Frame(frame.moment, seen(frame)) for frame in film.frames())
        self._preview("content", film, contents)
        self._preview("result", film, self._stored(film.moments, store, has_alpha=False))

    def _preview(self, name: str, film: Film, frames: Iterator[Frame]) -> None:
        target = self._paths.moving(name)
        draft = self._draft(target)
        write_film(
            draft,
            "mp4",
            self._small(frames),
            source=self._source,
            facts=replace(film.facts, has_sound=False),
            recipe="{}",
        )
        self._files.replace(draft, target)

    def _small(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        for frame in frames:
            self._tick()
            yield replace(frame, pixels=smaller(frame.pixels, PREVIEW_SIDE))


def _facts(written: WrittenFilm, sha256: str, size: int, *, has_sound: bool) -> PictureFacts:
    return PictureFacts(
        sha256=sha256,
        bytes=size,
        width=written.width,
        height=written.height,
        frames=written.frames,
        seconds=round(written.seconds, 3),
        rate=round(written.frames / written.seconds, 3) if written.seconds else None,
        sound=has_sound or None,
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
