"""Has all pictures of a recipe's folder made once more, with the recipe as it is now.

Pictures that were kept are known by the notes of what is made, which the daemon forgets. Those that
were archived or deleted are known by the records; they are found by their SHA-256 and collected in
a hidden folder of the inbox. One durable request then asks for all of it.
"""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePosixPath

from nstd.backends.registry import Backends
from nstd.client.ask import ask
from nstd.client.drop import drop_known
from nstd.client.picture_search import FoundPicture, PictureSearch, has_bytes_of
from nstd.documents.config import Config
from nstd.errors import NstdError, StoreError, printable
from nstd.intake.first_look import FirstLooks
from nstd.intake.made import Made
from nstd.intake.made_note import MadeNote, key_of
from nstd.intake.plan import safe_name
from nstd.intake.recipe_cache import KnownRecipe
from nstd.intake.renewal import STAGED
from nstd.intake.survey import Survey
from nstd.outbox.record import Reason, Record, RecordedInput
from nstd.outbox.results import list_published, read_ended, read_heading
from nstd.queue.control import ControlRequest, ControlRequests
from nstd.system.durable import Files
from nstd.system.layout import ARCHIVE, STAGED_AGAIN
from nstd.system.nofollow import Folder, Signature

_LEFT_AFTER = 3600.0
"""Seconds after which a hidden folder without a request is one that a kill has left."""


@dataclass(frozen=True)
class _Gone:
    """A picture that was made and does not lie in its folder: the folder, its name and bytes."""

    folder: str
    given: RecordedInput

    @property
    def name(self) -> str:
        """Its name in the inbox."""
        return f"{self.folder}/{PurePosixPath(self.given.file).name}"


@dataclass(frozen=True)
class FolderAgain:
    """What `nstd again FOLDER/` would do: nothing has changed yet.

    `there` counts the pictures that lie in the folder, `found` has those that come back, `missing`
    names those of which no file is left. Each picture makes `jobs` jobs.
    """

    folder: str
    there: int
    found: list[tuple[_Gone, FoundPicture]]
    missing: list[str]
    jobs: int
    is_held: bool
    until: float
    """What was made until then, in seconds since the epoch, is made once more."""

    @property
    def pictures(self) -> int:
        """How many pictures are made once more."""
        return self.there + len(self.found)


def plan_again(config: Config, folder: str) -> FolderAgain:
    """What there is to be made once more in `folder`, which has a recipe.

    Raises NstdError for a recipe that is not valid, and StoreError `not_found` when there is
    nothing.
    """
    look = _Look(config, folder)
    missing = [each for each in look.gone if each.given.sha256 not in look.found]
    there = [each for each in look.gone if each.given.sha256 in look.found]
    plan = FolderAgain(
        folder,
        look.there,
        [(each, look.found[each.given.sha256]) for each in there],
        [*look.taken_away, *(each.name for each in missing)],
        look.recipe.jobs,
        look.is_held,
        look.until,
    )
    if not plan.pictures:
        names = "".join(f"\n  {printable(name)}" for name in plan.missing[:20])
        said = f", and no file is left of:{names}" if names else ""
        hint = "its pictures are made as they come; `nstd check` says what becomes of each"
        raise StoreError("not_found", f"nothing in {folder}/ can be made again{said}", hint)
    return plan


def make_folder_again(config: Config, plan: FolderAgain) -> str:
    """Ask for it. Returns ` when the daemon runs again`, or an empty string if it runs.

    Raises OSError, and StoreError when a picture changes meanwhile; then nothing is asked for.
    """
    inbox, files = config.folder("inbox"), Files()
    _remove_left(config)
    staged = f"{STAGED_AGAIN}{secrets.token_hex(8)}" if plan.found else ""
    try:
        for gone, found in plan.found:
            target = inbox / staged / gone.name
            files.make_folder(target.parent, below=inbox)
            drop_known(found.root, found.name, target, gone.given.sha256, files)
        request = ControlRequest("again", f"{plan.folder}/", until=plan.until, staged=staged)
        return ask(config, request)
    except (OSError, NstdError):
        if staged:
            shutil.rmtree(inbox / staged, ignore_errors=True)
        raise


def _remove_left(config: Config) -> None:
    """Remove what a command that was killed has collected and not asked for."""
    inbox = config.folder("inbox")
    asked = {each.staged for each in ControlRequests(config.folder("work"), Files()).pending()}
    with suppress(OSError):
        for path in inbox.glob(f"{STAGED_AGAIN}*"):
            is_old = time.time() - path.lstat().st_mtime > _LEFT_AFTER
            if STAGED.fullmatch(path.name) and path.name not in asked and is_old:
                shutil.rmtree(path, ignore_errors=True)


class _Look:
    """One look at the folders of a recipe, and at the records of what was made there."""

    def __init__(self, config: Config, folder: str) -> None:
        self._config, self._root = config, Folder(config.folder("inbox"))
        survey = Survey(config, Backends())
        self.recipe = self._valid(survey, folder)
        self._survey, self._made = survey, Made(self._root, Files())
        look = FirstLooks(self._root, Files()).get(folder)
        self.is_held = look is not None and look.holds((2**62, ""))
        self.there, self.taken_away, self.until = 0, list[str](), time.time()
        self._known: set[tuple[str, str]] = set()
        self._files: dict[str, dict[str, Signature]] = {}
        for each in survey.scope(self.recipe):
            self._look_at(each)
        self.gone = list(self._archived())
        search = PictureSearch(
            [config.folder("outbox") / ARCHIVE, self._root.path, config.folder("styles")]
        )
        self.found = search.find([each.given for each in self.gone]) if self.gone else {}

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
        self._files[folder] = files = self._root.signatures(folder)
        leaves = {key_of(leaf): leaf for leaf in files}
        for note in self._made.contents(folder):
            self._known.add((folder, note.sha256))
            self.until = max(self.until, note.made)  # whatever the clock was then
            leaf = self._leaf_of(folder, note, leaves)
            if leaf is None:
                self.taken_away += [f"{folder}/{next(iter(note.files), note.sha256[:16])}"]
            elif not self._survey.why_no_content(self.recipe, folder, leaf):
                self.there += 1

    def _leaf_of(self, folder: str, note: MadeNote, leaves: dict[str, str]) -> str | None:
        """The name of a file that has the bytes of a note, as far as it is there."""
        for key in note.files:
            if key in leaves:
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

    def _archived(self) -> Iterator[_Gone]:
        """The pictures that the recipe has made and that were not kept."""
        outbox = self._config.folder("outbox")
        places = {_place(folder): folder for folder in self._files}
        assert self.recipe.file is not None
        for _, path in list_published(outbox):
            heading = read_heading(path)
            sidecar = PurePosixPath((heading and heading.sidecar) or "")
            folder = places.get(str(sidecar.parent))
            ended = read_ended(path) if folder is not None else None
            if folder is None or ended is None or not _is_of_recipe(ended, sidecar):
                continue
            given = ended.inputs.content
            assert given is not None
            if (folder, given.sha256) in self._known:
                continue
            self._known.add((folder, given.sha256))
            is_there = self._with_bytes(folder, given) is not None  # and waits already
            if not is_there and not self._survey.why_no_content(self.recipe, folder, given.file):
                yield _Gone(folder, given)


def _is_of_recipe(ended: Record | Reason, sidecar: PurePosixPath) -> bool:
    """Whether a job is one that a recipe has made of a picture, as far as its record tells."""
    if (content := ended.inputs.content) is None or "/" in content.file:
        return False
    is_called_so = sidecar.stem == safe_name(PurePosixPath(content.file).stem)
    return is_called_so or ended.batch is not None


def _place(folder: str) -> str:
    """A folder of the inbox as the records name it."""
    return "/".join(safe_name(part) for part in PurePosixPath(folder).parts)
