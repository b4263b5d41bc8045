"""`outbox/index.html`: one file that includes its style and scripts, so that all are replaced
together."""

from __future__ import annotations

import base64
import errno
import hashlib
import zlib
from contextlib import suppress
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from nstd import __version__
from nstd.system.durable import Files
from nstd.system.layout import GALLERY, PAGE

if TYPE_CHECKING:
    from jinja2 import Template

_SCRIPTS = (
    "data.js",
    "elements.js",
    "words.js",
    "address.js",
    "filter.js",
    "slider.js",
    "curve.js",
    "card.js",
    "list.js",
    "detail.js",
    "batch.js",
    "running.js",
    "main.js",
)
"""The scripts, in the order in which they depend on each other."""
_GENERATOR = "nstd gallery"
_HEAD = 4096
"""The first bytes of the page, which name the program that made it."""


def keep_page(outbox: Path, title: str, files: Files) -> None:
    """Write the page, unless this version exists. Raises OSError, also for a page not made by
    nstd."""
    path = outbox / PAGE
    head = b""
    with suppress(FileNotFoundError), path.open("rb") as file:
        head = file.read(_HEAD)
    generator = _generator(title)
    if f'content="{generator}"'.encode() in head:
        return
    if head and f'content="{_GENERATOR} '.encode() not in head:
        message = "not made by nstd: move it away, or say `gallery: {enabled: false}`"
        raise FileExistsError(errno.EEXIST, message, str(path))
    files.write(path, render(title, generator), durable=False)


def render(title: str, generator: str = "") -> bytes:
    """The page. It allows its scripts by their hash, so that a browser runs no other script."""
    script = "\n".join(_asset(name) for name in _SCRIPTS)
    page = _template().render(
        title=title,
        generator=generator or _generator(title),
        folder=GALLERY,
        style=_asset("style.css"),
        script=script,
        script_hash=_hash(script),
        style_hash=_hash(_asset("style.css")),
    )
    return page.encode()


def _generator(title: str) -> str:
    """The program that made the page, and a hash of its parts."""
    sources = [_asset(name) for name in ("page.html.j2", "style.css", *_SCRIPTS)]
    checksum = zlib.crc32("\0".join([title, *sources]).encode("utf-8", "backslashreplace"))
    return f"{_GENERATOR} {__version__} {checksum:08x}"


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined  # slow to import, and rarely needed

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(_asset("page.html.j2"))


@cache
def _asset(name: str) -> str:
    return (resources.files("nstd.outbox.gallery") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash of an element's text, in the form that a Content-Security-Policy needs."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
