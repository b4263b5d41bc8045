"""The packages of the extra `film`: whether they are there, whole, and new enough.

`python -m nstd.images.film.extra` prints that as JSON, for commands, which do not load them.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from functools import cache
from importlib.metadata import requires
from importlib.util import find_spec
from typing import Any, NamedTuple

_MODULES = {"av": "av", "opencv-python-headless": "cv2"}
_REQUIREMENT = re.compile(r"(?P<package>[\w-]+)>=(?P<least>[\d.]+);.*film")
_INSTALL = "pip install {}'nstd[film]'"


class FilmExtra(NamedTuple):
    """What is installed, such as `av 16.0.1`; and, if that cannot be used, why and what to do.

    `found` is empty if a package is not installed at all.
    """

    found: str
    problem: str = ""
    hint: str = ""


@cache
def film_extra() -> FilmExtra:
    """The extra in this process."""
    if any(find_spec(module) is None for module in _MODULES.values()):
        problem = "films need the extra `film`, which is not installed"
        return FilmExtra("", problem, _INSTALL.format(""))
    found = []
    for package, module in _MODULES.items():
        try:
            version = str(importlib.import_module(module).__version__)
        except Exception as error:  # a library that it links to may be gone or another's
            problem = f"films need the package {package}, which cannot be loaded: {error}"
            return FilmExtra(package, problem, _INSTALL.format("--force-reinstall "))
        found.append(f"{package} {version}")
        if _parts(version) < _parts(least := _least().get(package, "0")):
            problem = f"films need {package} {least} or newer, and {version} is installed"
            return FilmExtra(", ".join(found), problem, _INSTALL.format("--upgrade "))
    return FilmExtra(", ".join(found))


def _least() -> dict[str, str]:
    """The oldest versions that nstd takes, as its own package says."""
    found = map(_REQUIREMENT.match, requires("nstd") or ())
    return {match["package"]: match["least"] for match in found if match}


def _parts(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:3]))


def main() -> None:
    """Print it."""
    told: dict[str, Any] = film_extra()._asdict()
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
