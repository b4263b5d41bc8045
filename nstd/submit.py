"""Put a pair into the inbox: pictures first, the sidecar last, each by one rename."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from nstd import strictyaml
from nstd.config import Config
from nstd.errors import Problem, SidecarError
from nstd.files import Files, numbered
from nstd.order import make_order, safe_name
from nstd.plugins import Plugins
from nstd.sidecar import parse_sidecar

_TOP = {"output", "backend", "options", "priority", "timeout"}


def submit(
    config: Config, content: Path, style: str, options: Sequence[str], name: str | None
) -> Path:
    """Submit a pair with `key=value` options; the path of the new sidecar.

    A key without a known first part is an option of the backend: `preset=fine` is short for
    `options.preset=fine`. Raises SidecarError before anything is copied when the job is not
    valid, OSError when the disk fails.
    """
    inbox = config.folder("inbox")
    stem = safe_name(name or f"{content.stem}-in-{Path(style).stem}")
    wish: dict[str, Any] = {"content": content.name, "style": style}
    for option in options:
        _set(wish, option)
    _check(config, wish, f"{stem}.yaml")
    files = Files()
    wish["content"] = _put(content, inbox, files).name
    if Path(style).is_file():
        wish["style"] = _put(Path(style), inbox, files).name
    sidecar = next(path for path in numbered(inbox / f"{stem}.yaml") if not path.exists())
    files.write(sidecar, yaml.safe_dump(wish, allow_unicode=True, sort_keys=False).encode())
    return sidecar


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


def _check(config: Config, wish: dict[str, Any], name: str) -> None:
    """Refuse now what the daemon would refuse later."""
    shown = wish | {"style": Path(wish["style"]).name}
    parsed = parse_sidecar(yaml.safe_dump(shown, allow_unicode=True).encode(), name)
    make_order(name, parsed, config, Plugins())


def _put(picture: Path, inbox: Path, files: Files) -> Path:
    """Copy a picture into the inbox; the same bytes under the same name are not copied twice."""
    digest = hashlib.sha256(picture.read_bytes()).digest()
    for target in numbered(inbox / picture.name):
        if not os.path.lexists(target):
            temporary = target.with_name(f".{target.name}.tmp")
            files.unlink(temporary)
            files.copy_file(picture, temporary)
            files.rename(temporary, target)
            return target
        if target.is_file() and hashlib.sha256(target.read_bytes()).digest() == digest:
            return target
    raise AssertionError("unreachable: numbered() does not end")


def _refused(option: str, message: str) -> SidecarError:
    return SidecarError.of("sidecar_invalid", [Problem("-o", 0, 0, f"{option!r}: {message}")])
