"""What the models of documents and jobs share: base classes and types of values."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)

from nstd.errors import clean

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
"""The file formats of results that are pictures."""
FILM_FORMATS = ("mp4", "webm", "gif", "webp", "apng", "frames")
"""The formats of results that are films; `frames` is a folder of PNG files."""
OutputFormat = Annotated[
    Literal["png", "jpg", "webp", "tiff", "mp4", "webm", "gif", "apng", "frames"],
    BeforeValidator(
        _format,
        json_schema_input_type=Literal[
            "png", "jpg", "jpeg", "webp", "tiff", "tif", "mp4", "webm", "gif", "apng", "frames"
        ],
    ),
]
"""The file formats of all results."""
_SUFFIXES = {"apng": "png"}


def file_of(stem: str, format: str) -> str:
    """The name of the file of a result, or of its folder of frames."""
    return f"{stem}.{_SUFFIXES.get(format, format)}"


BATCH_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
"""The id of a batch, or of a job that is not in a batch."""


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_cleaned)]
"""Text from outside, such as that of an exception: parts that UTF-8 cannot encode are escaped."""
Count = Annotated[int, Field(strict=True)]
"""A whole number; text and booleans are refused."""
Number = Count | Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number; text and booleans are refused."""
Version = Literal[1]
"""The version of a file format: raised when a key changes its meaning, not when one is added."""


class Model(BaseModel):
    """Base of the models of files that people write: frozen, unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredModel(Model):
    """Base of the models of files that nstd writes: unknown keys are ignored.

    Unknown keys were added by a newer version. Files have a `schema_version`; a file without one
    is of version 1, and a file of an unknown version is refused.
    """

    model_config = ConfigDict(
        extra="ignore",
        defer_build=True,  # `nstd status` uses few of them
        json_schema_serialization_defaults_required=True,
        serialize_by_alias=True,
        validate_by_alias=True,
        validate_by_name=True,
    )


class TolerantModel(StoredModel):
    """Base of the models of files that people may change: values of a wrong type count as absent.

    Every field has a default, so that files of older versions, without some fields, can be read.
    """

    @model_validator(mode="wrap")
    @classmethod
    def _leave_out_what_is_wrong(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(value)
        except ValidationError as error:
            if not isinstance(value, dict):
                raise
            wrong = {each["loc"][0] for each in error.errors(include_url=False) if each["loc"]}
            return handler({key: kept for key, kept in value.items() if key not in wrong})


class Membership(StoredModel):
    """The batch of a job, and which of its members the job is."""

    id: str  # of the batch
    name: str  # of the batch, and of its folder in the outbox
    index: int = Field(ge=0)
    of: int = Field(ge=1)
    axes: dict[str, Any]  # its values of the axes: `content`, `style`, `options.seed`
