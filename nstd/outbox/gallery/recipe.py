"""Turns a record back into a sidecar that makes the same picture again from the same inputs."""

from __future__ import annotations

from typing import Any

from nstd.documents.sidecar_writer import dump
from nstd.errors import SidecarError
from nstd.outbox.gallery.untrusted import shown
from nstd.outbox.record import Reason, Record, RecordedSettings, RecordedStyle


def as_sidecar(record: Record | Reason) -> str:
    """The text of the sidecar, with every option that had an effect; "" where it is not valid."""
    inputs, settings = record.inputs, record.settings
    styles = [_style(style) for style in inputs.styles]
    if inputs.content is None or not inputs.content.file or not styles:
        return ""
    values: dict[str, Any] = {"content": shown(inputs.content.file), "style": _short(styles)}
    if inputs.init is not None:
        values["init"] = shown(inputs.init.file)
    if inputs.series:
        values["series"] = [shown(each.file) for each in inputs.series]
    output = {"name": shown(record.name), "size": _size(record), "format": shown(settings.format)}
    values["output"] = {key: value for key, value in output.items() if value}
    values["backend"] = shown(settings.backend)
    if options := _options(settings, record.seed if isinstance(record, Record) else None):
        values["options"] = options
    try:
        return dump(values).decode()
    except SidecarError:  # the record may have been changed by hand
        return ""


def _size(record: Record | Reason) -> int | None:
    """The size to ask for; None if the content was smaller than a default size.

    A sidecar with that size would have the content enlarged.
    """
    size = record.settings.size
    if size is None or record.settings.enlarge or not isinstance(record, Record):
        return size
    return size if max(record.output.width, record.output.height) >= size else None


def _style(given: RecordedStyle) -> dict[str, Any]:
    style: dict[str, Any] = {"image": shown(given.file)}
    style |= {key: value for key in ("weight", "scale") if (value := getattr(given, key)) != 1}
    masks = {"region": given.region, "mask": given.mask}
    return style | {role: shown(mask.file) for role, mask in masks.items() if mask}


def _short(styles: list[dict[str, Any]]) -> Any:
    """A single style that has only a picture is written without a list."""
    return styles[0]["image"] if len(styles) == 1 and len(styles[0]) == 1 else styles


def _options(settings: RecordedSettings, seed: int | None) -> dict[str, Any]:
    """The options without those that are null; the seed is the one that was used."""
    said = {key: value for key, value in settings.options.items() if value is not None}
    return said | ({"seed": seed} if seed is not None and "seed" in settings.options else {})
