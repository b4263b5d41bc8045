"""Put pairs into the inbox: pictures first, the sidecars last, each by one rename."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nstd.config import Config
from nstd.editor import SIDECAR_LINE, keep_sidecar_schema
from nstd.errors import SidecarError, printable
from nstd.files import Files, numbered
from nstd.locate import Locator
from nstd.names import is_ignored, is_sidecar
from nstd.order import make_order, safe_name
from nstd.plugins import Plugins
from nstd.roots import Root
from nstd.sidecar import parse_sidecar
from nstd.wish import dump, refused, set_option, without_places


@dataclass(frozen=True)
class Request:
    """What a person asks for: each of `contents` in the style, which is a file or a library name.

    `options` are `key=value` texts. A key without a known first part is an option of the backend:
    `preset=fine` is short for `options.preset=fine`. With `series`, the contents are to look alike.
    """

    contents: Sequence[Path]
    style: str
    options: Sequence[str] = ()
    name: str | None = None
    init: Path | None = None
    series: bool = False

    def wish(self, content: Path, rename: Callable[[Path], str]) -> dict[str, Any]:
        """The sidecar for one content; `rename` says what a file is called in the inbox."""
        style = Path(self.style)
        wish: dict[str, Any] = {
            "content": rename(content),
            "style": rename(style) if style.is_file() else self.style,
        }
        if self.init is not None:
            wish["init"] = rename(self.init)
        if self.series:
            wish["series"] = [rename(each) for each in self.contents]
        for option in self.options:
            set_option(wish, option)
        return wish

    def stem(self, content: Path) -> str:
        """The name of the sidecar for one content."""
        return safe_name(self.name or f"{content.stem}-in-{Path(self.style).stem}")

    @property
    def files(self) -> list[Path]:
        """Every picture that goes along."""
        style = Path(self.style)
        others = [style] if style.is_file() else []
        return [*self.contents, *others, *([self.init] if self.init else [])]


class Submitted(NamedTuple):
    """A sidecar in the inbox, and what its job will be known by."""

    sidecar: Path
    name: str  # of the job
    mtime_ns: int


def submit(config: Config, request: Request) -> list[Submitted]:
    """Submit pairs; the new sidecars, in the order of the contents.

    Raises SidecarError before anything is copied when a job is not valid, OSError when the disk
    fails.
    """
    inbox, files = config.folder("inbox"), Files()
    names = _check(config, request)
    keep_sidecar_schema(config)
    placed = {picture: _put(picture, inbox, files).name for picture in request.files}
    sidecars = []
    for content in request.contents:
        with _draft(inbox, ".yaml") as draft:
            wish = dump(request.wish(content, placed.__getitem__))
            files.write(draft, SIDECAR_LINE.encode() + wish)
            mtime_ns = draft.stat().st_mtime_ns
            sidecar = files.put_back(draft, inbox / f"{request.stem(content)}.yaml")
        sidecars.append(Submitted(sidecar, names[content] or sidecar.stem, mtime_ns))
    return sidecars


def _check(config: Config, request: Request) -> dict[Path, str | None]:
    """The names that the sidecars give to their results.

    Refuses now what the daemon would refuse later; nobody sees the lines of these texts.
    """
    plugins = Plugins()
    names: dict[Path, str | None] = {}
    for content in request.contents:
        stem = request.stem(content)
        try:
            parsed = parse_sidecar(dump(request.wish(content, lambda path: path.name)), stem)
            names[content] = parsed.sidecar.output.name
            make_order(f"{stem}.yaml", parsed, config, plugins)
        except SidecarError as error:
            raise without_places(error, "command line") from None
    _check_names(picture.name for picture in request.files)
    if not Path(request.style).is_file():
        _check_library(config, request.style)
    return names


def _check_names(names: Iterable[str]) -> None:
    """Refuse names that the inbox would pass over, or take for sidecars."""
    for name in names:
        if is_ignored(name) or is_sidecar(name):
            message = "in an inbox, a file of this name is no picture; rename it"
            raise refused(name, message)


def _check_library(config: Config, style: str) -> None:
    """Refuse a style that is neither a file here nor in the library: its job would wait."""
    locator = Locator(Root(config.folder("inbox")), Root(config.folder("styles")))
    if locator.find("submitted.yaml", style) is None:
        folder = printable(config.folder("styles"))
        raise refused(style, f"no such picture file, and none of that name is in {folder}")


def _put(picture: Path, inbox: Path, files: Files) -> Path:
    """Copy a picture into the inbox; the same bytes under the same name are not copied twice."""
    digest = _digest(picture)
    for target in numbered(inbox / picture.name):
        if not os.path.lexists(target):
            break
        if target.is_file() and _digest(target) == digest:
            return target
    with _draft(inbox, picture.suffix) as draft:
        files.copy_file(picture, draft)
        return files.put_back(draft, inbox / picture.name)


@contextmanager
def _draft(inbox: Path, suffix: str) -> Iterator[Path]:
    """A hidden name that nobody else uses, and that is gone in the end."""
    draft = inbox / f".{secrets.token_hex(8)}{suffix}.tmp"
    try:
        yield draft
    finally:
        draft.unlink(missing_ok=True)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
