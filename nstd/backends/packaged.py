"""Weights that a package of the Python package registry contains: its data alone, none of its code.

The file is found by the package's metadata, so nothing of the package is imported.
"""

from __future__ import annotations

import shlex
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import NamedTuple

from nstd.errors import printable


class Package(NamedTuple):
    """The package `name` of the registry, at exactly `version`; `extra` is nstd's that asks for
    it."""

    name: str
    version: str
    extra: str

    @property
    def install_command(self) -> str:
        """The shell command that installs it into this Python."""
        return f"{_pip()} install 'nstd[{self.extra}]'"

    @property
    def repair_command(self) -> str:
        """The shell command that puts its files there again, whatever is there now."""
        return f"{_pip()} install --force-reinstall --no-deps {self.name}=={self.version}"

    def installed(self) -> Distribution | None:
        """The package as it is installed in this Python, in any version; None if it is not."""
        try:
            return distribution(self.name)
        except PackageNotFoundError:
            return None

    def file(self, name: str) -> Path | None:
        """The path of its file called `name`; None if the package or the file is not there."""
        found = self.installed()
        listed = (found.files or []) if found else []
        paths = (Path(str(each.locate())) for each in listed if each.name == name)
        return next((path for path in paths if path.is_file()), None)

    def describe(self, name: str) -> str:
        """Why there is no file called `name`, in words."""
        found = self.installed()
        if found is None:
            return f"no package {self.name} in {printable(sys.prefix)}"
        return f"no {name} in the package {self.name} {found.version}"


def _pip() -> str:
    return f"{shlex.quote(printable(sys.executable))} -m pip"
