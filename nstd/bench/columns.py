"""The columns of a comparison: variants to make, and folders of other pictures."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nstd.intake.locator import SUFFIXES
from nstd.intake.plan import safe_name

AS_THEY_ARE = "nstd"
"""The label of the only variant if none is given."""


@dataclass(frozen=True)
class Column:
    """A column: the `options` of a variant, or the `folder` of its pictures."""

    label: str
    options: tuple[str, ...] = ()
    folder: Path | None = None

    def find(self, name: str) -> Path | None:
        """The picture with the name `name` in its folder, if any."""
        if self.folder is None:
            return None
        pictures = (p for p in sorted(self.folder.iterdir()) if p.suffix.lower() in SUFFIXES)
        return next((picture for picture in pictures if picture.stem == name), None)


def make_columns(
    vary: Iterable[tuple[str, str]],
    compare: Iterable[tuple[str, str]],
    options: Sequence[str],
    out: Path,
) -> list[Column]:
    """The folders of `compare` (label, folder), then the product of `vary` (key, values).

    Every variant has `options` too; `out` is where pictures will be written. Raises ValueError,
    with a message for the user, for values that are empty or occur twice, and for folders that are
    absent or would be written into.
    """
    columns = [_compared(label, Path(folder), out) for label, folder in compare]
    axes = [_axis(key, values) for key, values in vary]
    for varied in itertools.product(*axes):
        columns.append(Column(",".join(varied) or AS_THEY_ARE, (*options, *varied)))
    folders = [safe_name(column.label) for column in columns]
    for column, folder in zip(columns, folders, strict=True):
        if folders.count(folder) > 1:
            raise ValueError(f"two columns are called {column.label!r}")
    return columns


def variants(columns: Sequence[Column]) -> list[Column]:
    """The columns whose pictures are made."""
    return [column for column in columns if column.folder is None]


def _compared(label: str, folder: Path, out: Path) -> Column:
    if not folder.is_dir():
        raise ValueError(f"{folder}: there is no such folder to compare with")
    if folder.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"{folder} lies in {out}, which is written to; choose another --out")
    return Column(label, folder=folder)


def _axis(key: str, values: str) -> list[str]:
    texts = values.split(",")
    if not all(texts):
        raise ValueError(f"{key}={values}: an empty value between the commas")
    return [f"{key}={text}" for text in texts]
