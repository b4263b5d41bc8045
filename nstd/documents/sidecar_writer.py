"""Writes sidecars, from `key=value` options to the text of the file.

Every YAML file that nstd writes is made by `dump`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Any

import yaml

from nstd.documents import strict_yaml
from nstd.documents.document import DocumentError
from nstd.errors import Problem, SidecarError, in_shell, printable

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./ -]*")
_TOP = {"output", "backend", "options", "priority", "timeout"}
_BELONGS = {
    "size": "say --size {text}",
    "name": "say --name {text}",
    **dict.fromkeys(("format", "frames", "every", "fps"), "say -o {option}"),
    "content": "the pictures to be painted come first: nstd submit CONTENT... STYLE",
    "style": "it comes last: nstd submit CONTENT... STYLE; or say --style {text}",
    "styles": "say --grid --style STYLE, as often as you like",
    "init": "say --init {text}",
    "series": "say --series",
}
"""Keys that are not options of a backend, and how they are given on the command line."""


def set_option(
    values: dict[str, Any],
    option: str,
    *,
    lists: bool = False,
    more: Collection[str] = (),
) -> None:
    """Put `option`, a text like `output.size=1024`, into `values`, the values of a sidecar.

    A key without a known first part is an option of the backend: `preset=fine` is short for
    `options.preset=fine`. With `lists`, an option may have several values: `seed=1,2,3`. `more` are
    keys that a recipe has beside those of a sidecar. Raises SidecarError for a text that is not an
    option.
    """
    key, equals, text = option.partition("=")
    if not equals or not key:
        raise refused(option, "expected KEY=VALUE, like output.size=1024")
    path = key.split(".")
    if belongs := _BELONGS.get(key):
        words = belongs.format(option=in_shell(f"output.{option}"), text=in_shell(text))
        raise refused(option, f"{key} is no option: {words}")
    if path[0] not in _TOP and path[0] not in more:
        path.insert(0, "options")
    value = _value(text)
    if lists and path[0] == "options" and isinstance(value, str) and value == text and "," in text:
        value = [_value(part.strip()) for part in text.split(",")]
    place = values
    for part in path[:-1]:
        place = place.setdefault(part, {})
        if not isinstance(place, dict):
            raise refused(option, f"{part} has no keys of its own")
    place[path[-1]] = value


def _value(text: str) -> Any:
    try:
        return strict_yaml.read(f"value: {text}".encode(), text).value["value"]
    except DocumentError:
        return text


def dump(values: dict[str, Any]) -> bytes:
    """The text of a sidecar with the values `values`; read strictly, it gives the same values.

    Raises SidecarError for values that a sidecar cannot have, such as NaN or control characters.
    """
    try:
        text = yaml.dump(
            values, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=float("inf")
        )
    except (yaml.YAMLError, RecursionError) as error:
        raise refused("sidecar", f"it holds what YAML cannot say: {type(error).__name__}") from None
    return text.encode()


def refused(what: str, message: str) -> SidecarError:
    """The error for values that cannot become a sidecar."""
    problem = Problem("command line", 0, 0, f"{printable(what)!r}: {message}")
    return SidecarError.of("sidecar_invalid", [problem])


def without_places(error: SidecarError, source: str) -> SidecarError:
    """`error` about a generated text, without its lines, as an error about `source`."""
    problems = [Problem(source, 0, 0, problem.message) for problem in error.problems]
    about_files = error.code == "sidecar_invalid"  # there is none to correct
    hint = "`nstd help sidecar` explains every key" if about_files else error.hint
    return SidecarError.of(error.code, problems, hint)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, and quotes every text that strict_yaml might read as another value."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.Node:
    if match := strict_yaml.UNPRINTABLE.search(text):
        raise refused(text, f"no sidecar can hold the character U+{ord(match[0]):04X}")
    style = None if _PLAIN.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _represent_int(dumper: _Dumper, number: int) -> yaml.Node:
    if abs(number) >= 10**strict_yaml.INT_DIGITS:
        raise refused("number", f"it has more than {strict_yaml.INT_DIGITS} digits")
    return dumper.represent_int(number)


def _represent_float(dumper: _Dumper, number: float) -> yaml.Node:
    if not math.isfinite(number):
        raise refused(str(number), "no sidecar can hold this number")
    return dumper.represent_float(number)


def _represent_mapping(dumper: _Dumper, mapping: dict[Any, Any]) -> yaml.Node:
    for key in mapping:
        if not isinstance(key, str) or key == "<<":
            raise refused(str(key), "no sidecar can have this key")
    return dumper.represent_dict(mapping)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(int, _represent_int)
_Dumper.add_representer(float, _represent_float)
_Dumper.add_representer(dict, _represent_mapping)
