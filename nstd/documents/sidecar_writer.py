"""A wish: a sidecar that a program makes, from `key=value` options to the text of the file."""

from __future__ import annotations

import re
from typing import Any

import yaml

from nstd.documents import strict_yaml as strictyaml
from nstd.errors import Problem, SidecarError, printable

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*")
_TOP = {"output", "backend", "options", "priority", "timeout"}
_BELONGS = {key: f"say -o output.{key}={{}}" for key in ("size", "format", "name")} | {
    "content": "the pictures to be painted come first: nstd submit CONTENT... STYLE",
    "style": "it comes last: nstd submit CONTENT... STYLE; or say --style {}",
    "styles": "say --grid --style STYLE, as often as you like",
    "init": "say --init {}",
    "series": "say --series",
}
"""Keys that are no options of a backend, and how to say them on the command line."""


def set_option(wish: dict[str, Any], option: str, *, lists: bool = False) -> None:
    """Put `option`, a text like `output.size=1024`, into `wish`.

    A key without a known first part is an option of the backend: `preset=fine` is short for
    `options.preset=fine`. With `lists`, an option may be several values: `seed=1,2,3`. Raises
    SidecarError for a text that is none.
    """
    key, equals, text = option.partition("=")
    if not equals or not key:
        raise refused(option, "expected KEY=VALUE, like output.size=1024")
    path = key.split(".")
    if belongs := _BELONGS.get(key):
        raise refused(option, f"{key} is no option: {belongs.format(text)}")
    if path[0] not in _TOP:
        path.insert(0, "options")
    value = _value(text)
    if lists and path[0] == "options" and isinstance(value, str) and value == text and "," in text:
        value = [_value(part.strip()) for part in text.split(",")]
    place = wish
    for part in path[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise refused(option, f"{part} has no keys of its own")
    place[path[-1]] = value


def _value(text: str) -> Any:
    try:
        return strictyaml.read(f"value: {text}".encode(), text).value["value"]
    except strictyaml.DocumentError:
        return text


def dump(wish: dict[str, Any]) -> bytes:
    """The text of the sidecar that says `wish`."""
    text = yaml.dump(wish, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return text.encode(errors="surrogateescape")


def refused(what: str, message: str) -> SidecarError:
    """The error for a wish that cannot become a sidecar."""
    problem = Problem("command line", 0, 0, f"{printable(what)!r}: {message}")
    return SidecarError.of("sidecar_invalid", [problem])


def without_places(error: SidecarError, source: str) -> SidecarError:
    """`error` about the text of a wish, whose lines nobody sees, told of `source` instead."""
    problems = [Problem(source, 0, 0, problem.message) for problem in error.problems]
    about_files = error.code == "sidecar_invalid"  # there is none to correct
    hint = "`nstd help sidecar` explains every key" if about_files else error.hint
    return SidecarError.of(error.code, problems, hint)


class _Dumper(yaml.SafeDumper):
    """Quotes what strictyaml, unlike the YAML that this dumper writes, would not read as text."""


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
