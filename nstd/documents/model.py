"""What the models of documents and of jobs share: the base class, and names of their values."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Role = Literal["content", "style", "region", "mask", "init", "series"]
"""What a picture is for; regions and masks belong to a style."""
_FORMATS = {"jpeg": "jpg", "tif": "tiff"}


def _format(value: object) -> object:
    """`jpeg`, `JPG` and `.jpg` all mean `jpg`."""
    if not isinstance(value, str):
        return value
    name = value.lower().removeprefix(".")
    return _FORMATS.get(name, name)


Format = Annotated[
    Literal["png", "jpg", "webp", "tiff"],
    BeforeValidator(
        _format, json_schema_input_type=Literal["png", "jpg", "jpeg", "webp", "tiff", "tif"]
    ),
]
"""The file formats of results."""
BATCH_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
"""The id of a batch, or of a job that belongs to none."""


class Model(BaseModel):
    """Base of the models on disk: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Membership(Model):
    """Which member of which batch a job is."""

    id: str  # of the batch
    name: str  # of the batch, and of its folder in the outbox
    index: int = Field(ge=0)
    of: int = Field(ge=1)
    axes: dict[str, Any]  # what tells it from the others: `content`, `style`, `options.seed`
