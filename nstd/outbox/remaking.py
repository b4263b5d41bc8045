"""Turns a record back into the values of a sidecar that makes the same picture again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nstd.outbox.record import Reason, Record, RecordedInput, RecordedSettings, RecordedStyle
from nstd.system.units import format_duration

Naming = Callable[[RecordedInput], str]
"""From a picture of a record to its name in the sidecar."""


def sidecar_values(
    record: Record | Reason, naming: Naming, say: Callable[[str], str] = str
) -> dict[str, Any]:
    """The values, with every option that had an effect; empty for a record without its pictures.

    `say` is applied to the texts of the record. The values are not checked: the record may have
    been changed by hand.
    """
    inputs, settings = record.inputs, record.settings
    styles = [_style(style, naming) for style in inputs.styles]
    if inputs.content is None or not inputs.content.file or not styles:
        return {}
    values: dict[str, Any] = {"content": naming(inputs.content), "style": _short(styles)}
    if inputs.init is not None:
        values["init"] = naming(inputs.init)
    if inputs.series:
        values["series"] = [naming(each) for each in inputs.series]
    output = {"name": say(record.name), "size": _size(record), "format": say(settings.format)}
    if settings.film is not None:
        output |= settings.film.model_dump(exclude={"kind"})
    values["output"] = {key: value for key, value in output.items() if value}
    values["backend"] = say(settings.backend)
    if options := _options(settings, record.seed if isinstance(record, Record) else None):
        values["options"] = options
    return values


def _size(record: Record | Reason) -> int | None:
    """The size to ask for; None if the content was smaller than a default size.

    A sidecar with that size would have the content enlarged. A failed job has no result that
    shows how large its content was: a size that it did not ask for itself is left out.
    """
    size, enlarge = record.settings.size, record.settings.enlarge
    if size is None or enlarge:
        return size
    if isinstance(record, Reason):
        return size if enlarge is None else None  # earlier versions did not record `enlarge`
    return size if max(record.output.width, record.output.height) >= size else None


def _style(given: RecordedStyle, naming: Naming) -> dict[str, Any]:
    style: dict[str, Any] = {"image": naming(given)}
    style |= {key: value for key in ("weight", "scale") if (value := getattr(given, key)) != 1}
    times = {"from": given.begin, "to": given.end}
    style |= {key: format_duration(time) for key, time in times.items() if time is not None}
    masks = {"region": given.region, "mask": given.mask}
    return style | {role: naming(mask) for role, mask in masks.items() if mask}


def _short(styles: list[dict[str, Any]]) -> Any:
    """A single style that has only a picture is written without a list."""
    return styles[0]["image"] if len(styles) == 1 and len(styles[0]) == 1 else styles


def _options(settings: RecordedSettings, seed: int | None) -> dict[str, Any]:
    """The options without those that are null; the seed is the one that was used."""
    said = {key: value for key, value in settings.options.items() if value is not None}
    return said | ({"seed": seed} if seed is not None and "seed" in settings.options else {})
