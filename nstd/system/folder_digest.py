"""The SHA-256 of a folder of files, such as the frames of a film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from nstd.system.nofollow import Folder


def digest_of_folder(files: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 of what `sha256sum` prints of the files, in the order of their names.

    `files` are their names and the SHA-256 of each.
    """
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()


def sha256_of(folder: Folder, name: str) -> str:
    """The SHA-256 of a regular file. Raises OSError and SidecarError."""
    with folder.open(name) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(folder: Folder, name: str) -> str:
    """The same of a folder of files, without hidden ones: see `digest_of_folder`."""
    leaves = [leaf for leaf in folder.signatures(name) if leaf[0] != "."]
    return digest_of_folder((leaf, sha256_of(folder, f"{name}/{leaf}")) for leaf in leaves)
