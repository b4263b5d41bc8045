"""What was made of a recipe's folder before: by the notes of pictures that were kept, and by the
records of those that were archived or deleted, which are found by their SHA-256."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.backends.registry import Backends
from nstd.client.picture_search import PictureSearch, has_bytes_of
from nstd.documents.config import Config
from nstd.errors import StoreError, printable
from nstd.intake.first_look import FirstLooks
from nstd.intake.made import Made
from nstd.intake.made_note import MadeNote, key_of
from nstd.intake.plan import safe_name
from nstd.intake.recipe_cache import KnownRecipe
from nstd.intake.survey import Survey
from nstd.outbox.record import Reason, Record, RecordedInput
from nstd.outbox.results import list_published, read_ended, read_heading
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE
from nstd.system.nofollow import Folder, Signature


@dataclass(frozen=True)
class GonePicture:
    """A picture that was made and does not lie in its folder: the folder, its name and bytes."""

    folder: str
    given: RecordedInput

    @property
    def name(self) -> str:
        """Its name in the inbox."""
        return f"{self.folder}/{PurePosixPath(self.given.file).name}"


class MadeBefore:
    """One look at the folders of a recipe, and at the records of what was made there."""

    def __init__(self, config: Config, folder: str) -> None:
        self._config, self._root = config, Folder(config.folder("inbox"))
        survey = Survey(config, Backends())
        self.recipe = self._valid(survey, folder)
        self._survey, self._made = survey, Made(self._root, Files())
        look = FirstLooks(self._root, Files()).get(folder)
        self.is_held = look is not None and look.holds((2**62, ""))
        self.there, self.taken_away, self.until = list[str](), list[str](), time.time()
        self._failed, self._finished = set[tuple[str, str]](), set[tuple[str, str]]()
        self._counted: set[tuple[str, str]] = set()
        self._known: set[tuple[str, str]] = set()
        self._files: dict[str, dict[str, Signature]] = {}
        scope = survey.scope(self.recipe)
        self._places = {_place(each): each if each in scope else "" for each in survey.governed}
        for each in scope:
            self._look_at(each)
        self.gone = list(self._archived())
        search = PictureSearch(
            [config.folder("outbox") / ARCHIVE, self._root.path, config.folder("styles")]
        )
        self.found = search.find([each.given for each in self.gone]) if self.gone else {}

    @property
    def failed(self) -> int:
        """How many of the pictures that can be made again have only failed so far."""
        gone = {(each.folder, each.given.sha256) for each in self.gone}
        found = {key for key in gone if key[1] in self.found}
        return len((self._failed - self._finished) & (self._counted | found))

    @staticmethod
    def _valid(survey: Survey, folder: str) -> KnownRecipe:
        for name, known in survey.recipes.items():
            if name.rpartition("/")[0] == folder:
                if known is not None and known.error is None:
                    return known
                if known is not None and known.error is not None:
                    raise known.error
        raise StoreError(
            "not_found", f"the recipe of {printable(folder)}/ cannot be read", "see `nstd status`"
        )

    def _look_at(self, folder: str) -> None:
        """Count what was made of one folder: what is there, and what was taken away by hand."""
        try:
            files = self._root.signatures(folder)
        except FileNotFoundError:  # somebody has removed it since
            files = {}
        self._files[folder] = files
        leaves = {key_of(leaf): leaf for leaf in files}
        for note in self._made.contents(folder):
            self._known.add((folder, note.sha256))
            self.until = max(self.until, note.made)  # whatever the clock was then
            leaf = self._leaf_of(folder, note, leaves)
            if leaf is None:
                self.taken_away += [f"{folder}/{next(iter(note.files), note.sha256[:16])}"]
            elif not self._survey.why_no_content(self.recipe, folder, leaf):
                self.there.append(f"{folder}/{leaf}")
                self._counted.add((folder, note.sha256))

    def _leaf_of(self, folder: str, note: MadeNote, leaves: dict[str, str]) -> str | None:
        """The name of a file that has the bytes of a note, as far as it is there."""
        for key, known in note.files.items():
            if key in leaves and self._files[folder][leaves[key]].size == known.size:
                return leaves[key]
        sizes = {signature.size for signature in note.files.values()}
        given = RecordedInput(sha256=note.sha256, bytes=max(sizes, default=0))
        return self._with_bytes(folder, given)

    def _with_bytes(self, folder: str, given: RecordedInput) -> str | None:
        for leaf, signature in self._files[folder].items():
            is_like = signature.size == given.bytes
            if is_like and has_bytes_of(self._root, f"{folder}/{leaf}", given):
                return leaf
        return None

    def _archived(self) -> Iterator[GonePicture]:
        """The pictures that the recipe has made and that were not kept."""
        outbox = self._config.folder("outbox")
        for _, path in list_published(outbox):
            heading = read_heading(path)
            sidecar = PurePosixPath((heading and heading.sidecar) or "")
            folder = self._folder_of(str(sidecar.parent))
            ended = read_ended(path) if folder else None
            if ended is None or not _is_of_recipe(ended, sidecar):
                continue
            if folder not in self._files:
                self._look_at(folder)
            given = ended.inputs.content
            assert given is not None
            key = folder, given.sha256
            (self._failed if isinstance(ended, Reason) else self._finished).add(key)
            if key in self._known:
                continue
            self._known.add(key)
            is_there = self._with_bytes(folder, given) is not None  # and waits already
            if not is_there and not self._survey.why_no_content(self.recipe, folder, given.file):
                yield GonePicture(folder, given)

    def _folder_of(self, place: str) -> str:
        """The folder of the recipe that `place`, as records name it, means; "" if it is none.

        It may have been removed since.
        """
        rest: list[str] = []
        while place and place not in self._places:
            place, _, last = place.rpartition("/")
            rest.insert(0, last)
        folder = self._places.get(place, "")
        return "/".join([folder, *rest]) if folder else ""


def _is_of_recipe(ended: Record | Reason, sidecar: PurePosixPath) -> bool:
    """Whether a job is one that a recipe has made of a picture, as far as its record tells."""
    if (content := ended.inputs.content) is None or "/" in content.file:
        return False
    is_called_so = sidecar.stem == safe_name(PurePosixPath(content.file).stem)
    return is_called_so or ended.batch is not None


def _place(folder: str) -> str:
    """A folder of the inbox as the records name it."""
    return "/".join(safe_name(part) for part in PurePosixPath(folder).parts)
