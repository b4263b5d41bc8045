"""Put a pair into the inbox: pictures first, the sidecar last, each by one rename."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from nstd import strictyaml
from nstd.config import Config
from nstd.errors import Problem, SidecarError, printable
from nstd.files import Files, numbered
from nstd.locate import Locator
from nstd.names import is_ignored, is_sidecar
from nstd.order import make_order, safe_name
from nstd.plugins import Plugins
from nstd.roots import Root
from nstd.sidecar import parse_sidecar

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*")
_TOP = {"output", "backend", "options", "priority", "timeout"}


def submit(
    config: Config, content: Path, style: str, options: Sequence[str], name: str | None
) -> Path:
    """Submit a pair with `key=value` options; the path of the new sidecar.

    A key without a known first part is an option of the backend: `preset=fine` is short for
    `options.preset=fine`. Raises SidecarError before anything is copied when the job is not
    valid, OSError when the disk fails.
    """
    inbox, is_file = config.folder("inbox"), Path(style).is_file()
    stem = safe_name(name or f"{content.stem}-in-{Path(style).stem}")
    wish: dict[str, Any] = {
        "content": content.name,
        "style": Path(style).name if is_file else style,
    }
    for option in options:
        _set(wish, option)
    _check(config, wish, stem)
    _check_names([content.name, Path(style).name] if is_file else [content.name])
    if not is_file:
        _check_library(config, style, stem)
    files = Files()
    wish["content"] = _put(content, inbox, files).name
    if is_file:
        wish["style"] = _put(Path(style), inbox, files).name
    with _draft(inbox, ".yaml") as draft:
        files.write(draft, _dump(wish))
        return files.put_back(draft, inbox / f"{stem}.yaml")


def _set(wish: dict[str, Any], option: str) -> None:
    key, equals, text = option.partition("=")
    if not equals or not key:
        raise _refused(option, "expected KEY=VALUE, like output.size=1024")
    path = key.split(".")
    if path[0] not in _TOP:
        path.insert(0, "options")
    try:
        value = strictyaml.read(f"value: {text}".encode(), option).value["value"]
    except strictyaml.DocumentError:
        value = text
    place = wish
    for part in path[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise _refused(option, f"{part} has no keys of its own")
    place[path[-1]] = value


def _check(config: Config, wish: dict[str, Any], stem: str) -> None:
    """Refuse now what the daemon would refuse later; nobody sees the lines of this text."""
    try:
        parsed = parse_sidecar(_dump(wish), stem)
        make_order(f"{stem}.yaml", parsed, config, Plugins())
    except SidecarError as error:
        problems = [Problem("submit", 0, 0, problem.message) for problem in error.problems]
        raise SidecarError.of(error.code, problems, "`nstd backends` lists the options") from None


def _check_names(names: Iterable[str]) -> None:
    """Refuse names that the inbox would pass over, or take for sidecars."""
    for name in names:
        if is_ignored(name) or is_sidecar(name):
            message = "in an inbox, a file of this name is no picture; rename it"
            raise _refused(name, message)


def _check_library(config: Config, style: str, stem: str) -> None:
    """Refuse a style that is neither a file here nor in the library: its job would wait."""
    locator = Locator(Root(config.folder("inbox")), Root(config.folder("styles")))
    if locator.find(f"{stem}.yaml", style) is None:
        folder = printable(config.folder("styles"))
        raise _refused(style, f"no such picture file, and none of that name is in {folder}")


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


class _Dumper(yaml.SafeDumper):
    """Quotes what strictyaml, unlike the YAML that this dumper writes, would not read as text."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _dump(wish: dict[str, Any]) -> bytes:
    text = yaml.dump(wish, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return text.encode(errors="surrogateescape")


def _refused(what: str, message: str) -> SidecarError:
    problem = Problem("submit", 0, 0, f"{printable(what)!r}: {message}")
    return SidecarError.of("sidecar_invalid", [problem])
