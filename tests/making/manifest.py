"""What ships with the package and is made by a script: how, from what, and the hash of each file.

`manifest.json` holds these facts as of the last time that each was made: a test compares them with
the files and with the scripts, so that neither changes without the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST = Path(__file__).with_name("manifest.json")


class Made(NamedTuple):
    """`make` writes `paths`; `facts` are what else decides their bytes."""

    script: str
    paths: tuple[Path, ...]
    make: Callable[[], None]
    facts: Callable[[], dict[str, Any]]

    def entry(self) -> dict[str, Any]:
        """What the manifest says of it, as of now."""
        hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.paths}
        return {"script": self.script, **self.facts(), "sha256": hashes}


def _draw() -> None:
    from making.samples.draw import draw_all

    draw_all(_SAMPLES)


def _qualities() -> dict[str, Any]:
    from making.samples.draw import QUALITY

    return {"quality": QUALITY}


def _fit() -> None:
    from making.fixed import make

    make(_FIXED)


def _fitting() -> dict[str, Any]:
    from making import fixed

    return {
        "data": [f"skimage.data.{name}" for name in fixed.PHOTOGRAPHS]
        + [f"nstd.client.samples.{name}" for name in fixed.DRAWINGS],
        "seeds": fixed.SEEDS,
        "side": fixed.SIDE,
        "textures": fixed.TEXTURES,
        "share": fixed.SHARE,
    }


def _scale() -> None:
    from making.vgg19_scales import make

    make(_SCALES)


def _scaling() -> dict[str, Any]:
    from making import vgg19_scales

    return {
        "data": [f"skimage.data.{name}" for name in vgg19_scales.PHOTOGRAPHS],
        "source": vgg19_scales.SOURCE.prefix,
        "side": vgg19_scales.SIDE,
    }


def _learn() -> None:
    from making.student import make

    make(_STUDENT)


def _learning() -> dict[str, Any]:
    from making.student import facts

    return facts()


def _paths(folder: Path, names: Iterable[str]) -> tuple[Path, ...]:
    return tuple(folder / f"{name}.jpg" for name in names)


_SAMPLES = Path(str(files("nstd.client.samples")))
_FIXED = Path(str(files("nstd.backends.gatys"))) / "fixed.npz"
_STUDENT = _FIXED.with_name("student.npz")
_SCALES = _FIXED.with_name("vgg19_scales.json")
MADE = {
    "samples": Made(
        "tests/making/samples/draw.py",
        _paths(_SAMPLES, ("harbour", "sunflowers", "swirls", "mosaic")),
        _draw,
        _qualities,
    ),
    "fixed": Made("tests/making/fixed.py", (_FIXED,), _fit, _fitting),
    "student": Made("tests/making/student/__init__.py", (_STUDENT,), _learn, _learning),
    "vgg19-scales": Made("tests/making/vgg19_scales.py", (_SCALES,), _scale, _scaling),
}


def remake(name: str) -> None:
    """Make the files of `name` anew, and note how."""
    MADE[name].make()
    note(name)


def note(name: str) -> None:
    """Write what is so now into the manifest."""
    noted = noted_all() | {name: MADE[name].entry()}
    MANIFEST.write_text(json.dumps(noted, indent=2) + "\n")


def noted_all() -> dict[str, Any]:
    """The manifest."""
    held: dict[str, Any] = json.loads(MANIFEST.read_text()) if MANIFEST.exists() else {}
    return held
