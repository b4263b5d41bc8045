"""The SHA-256 of a folder of files, such as the frames of a film."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def digest_of_folder(files: Iterable[tuple[str, str]]) -> str:
    """The SHA-256 of what `sha256sum` prints of the files, in the order of their names.

    `files` are their names and the SHA-256 of each.
    """
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files))
    return hashlib.sha256(lines.encode(errors="surrogateescape")).hexdigest()
