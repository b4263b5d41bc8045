"""What the models of documents and of jobs share: the base class, and names of their values."""

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
Format = Literal["png", "jpg", "webp", "tiff"]
"""The file formats of results."""
BATCH_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
"""The id of a batch, or of a job that belongs to none."""


def _cleaned(value: object) -> object:
    return clean(value) if isinstance(value, str) else value


Text = Annotated[str, BeforeValidator(_cleaned)]
"""A text from outside, such as that of an exception: what UTF-8 cannot hold is escaped."""
Count = Annotated[int, Field(strict=True)]
"""A whole number; neither a text nor a truth value is taken for one."""
Number = Count | Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""A finite number, in the same way."""
Version = Literal[1]
"""The version of a file: raised when a key changes its meaning, and not when one is added."""


class Model(BaseModel):
    """Base of the models of what people write: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredModel(Model):
    """Base of what nstd writes for itself and for programs: unknown keys are read past.

    They come from a newer version, which has added them. Files have a `schema_version`; one
    without it is of version 1, and one of a version that is not known here is refused.
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
    """Base of what lies where people can write: what is not of its kind counts as absent.

    Every field has a default, so older versions, which lack some, are read as well.
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
    """Which member of which batch a job is."""

    id: str  # of the batch
    name: str  # of the batch, and of its folder in the outbox
    index: int = Field(ge=0)
    of: int = Field(ge=1)
    axes: dict[str, Any]  # what tells it from the others: `content`, `style`, `options.seed`
