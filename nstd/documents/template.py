"""The commented config file that `nstd init` writes, made from the models of the config."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from nstd.documents.config import Config
from nstd.system.units import Unit

WIDTH = 99
CONFIG_SCHEMA = ".config.schema.json"


def schema_line(name: str) -> str:
    """The comment that tells editors to use the JSON Schema `name` beside the file."""
    return f"# yaml-language-server: $schema=./{name}\n"


HEADER = f"""\
{schema_line(CONFIG_SCHEMA)}#
# The settings of nstd, each at its default: what you leave out keeps the value shown here.
#
# Durations are written like 500ms, 90s, 30m, 1h30m or 7d, sizes like 500kB, 64MiB or 2GiB.
# A running daemon reads this file again when it gets SIGHUP (`systemctl reload nstd`); if the
# file is wrong then, it says where and goes on with what it had.
"""


def config_template() -> str:
    """The text of a config file with every setting, its default and its meaning."""
    return HEADER + "".join(
        "\n" + "".join(f"{line}\n" for line in _entry(name, field))
        for name, field in Config.model_fields.items()
    )


def _entry(name: str, field: FieldInfo) -> Iterator[str]:
    """A section, or a setting outside the sections."""
    section = field.get_default()
    if not isinstance(section, BaseModel):
        yield from _comment(field.description or "")
        yield f"{name}: {_value(field)}"
        return
    yield from _comment(type(section).__doc__ or "")
    yield f"{name}:"
    settings = type(section).model_fields
    texts = {key: f"  {key}: {_value(each)}" for key, each in settings.items()}
    column = max(map(len, texts.values())) + 2
    for key, text in texts.items():
        yield from _beside(text, settings[key].description or "", column)


def _beside(text: str, description: str, column: int) -> Iterator[str]:
    """`text` with its description as a comment at `column`, over several lines if it is long."""
    for line in textwrap.wrap(description, WIDTH - column - 2):
        yield f"{text:{column}}# {line}"
        text = ""


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, WIDTH - 2)]


def _value(field: FieldInfo) -> str:
    """The default of `field`, as YAML."""
    default = field.get_default()
    unit = next((each for each in field.metadata if isinstance(each, Unit)), None)
    if unit:
        return unit.format(default)
    return str(default) if isinstance(default, str | Path) else json.dumps(default)
