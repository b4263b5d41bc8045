"""A record turned back into a sidecar: dropped beside its pictures, it makes the same again."""

from __future__ import annotations

from typing import Any

from nstd.documents.sidecar_writer import dump
from nstd.errors import SidecarError
from nstd.outbox.gallery.untrusted import mapping, mappings, number, text


def as_sidecar(record: dict[str, Any]) -> str:
    """The text of the sidecar, with every option that had an effect; "" where none can say it."""
    inputs, settings = mapping(record, "inputs"), mapping(record, "settings")
    content = text(mapping(inputs, "content"), "file")
    styles = [_style(style) for style in mappings(inputs, "styles")]
    if not content or not styles:
        return ""
    wish: dict[str, Any] = {"content": content, "style": _short(styles)}
    if init := text(mapping(inputs, "init"), "file"):
        wish["init"] = init
    if series := [text(each, "file") for each in mappings(inputs, "series")]:
        wish["series"] = series
    output = {"name": text(record, "name"), "size": number(settings, "size")}
    output["format"] = text(settings, "format")
    wish["output"] = {key: value for key, value in output.items() if value}
    wish["backend"] = text(settings, "backend")
    if options := _options(record, settings):
        wish["options"] = options
    try:
        return dump(wish).decode()
    except SidecarError:  # anybody may have written the record
        return ""


def _style(given: dict[str, Any]) -> dict[str, Any]:
    style: dict[str, Any] = {"image": text(given, "file")}
    for key in ("weight", "scale"):
        if (value := number(given, key)) not in (None, 1):
            style[key] = value
    for key in ("region", "mask"):
        if name := text(mapping(given, key), "file"):
            style[key] = name
    return style


def _short(styles: list[dict[str, Any]]) -> Any:
    """One style that is nothing but a picture needs no list."""
    return styles[0]["image"] if len(styles) == 1 and len(styles[0]) == 1 else styles


def _options(record: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """What is null is left unsaid; a seed is the one that was used."""
    options = mapping(settings, "options")
    said = {key: value for key, value in options.items() if value is not None}
    if "seed" in options and (seed := number(record, "seed")) is not None:
        said["seed"] = seed
    return said
