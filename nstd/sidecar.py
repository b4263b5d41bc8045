"""The sidecar: the small YAML file that describes a job, as a model that refuses what it must."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field
from pydantic.json_schema import GenerateJsonSchema, models_json_schema

from nstd import diagnose, strictyaml
from nstd.errors import BackendError, SidecarError, printable
from nstd.job import Model
from nstd.strictyaml import MAX_BYTES, Document, DocumentError
from nstd.units import Seconds

__all__ = [
    "MAX_BYTES",
    "Format",
    "Output",
    "Sidecar",
    "SidecarFile",
    "StyleEntry",
    "parse_options",
    "parse_sidecar",
    "sidecar_schema",
]

NAME_BYTES = 200  # leaves room for "-2", ".json" and ".tmp" within the 255 of a file name
Format = Literal["png", "jpg", "webp", "tiff"]


def _picture_path(text: str) -> str:
    _no_controls(text)
    if "\\" in text:
        raise ValueError("must have / between folders, not \\")
    path = PurePosixPath(text)
    if path.is_absolute():
        raise ValueError("must be relative to the sidecar, not an absolute path")
    if path.name in ("", ".."):
        raise ValueError("must be the name of a picture")
    if path.name.startswith("."):
        raise ValueError("must not be a hidden file")
    if any(len(part.encode()) > 255 for part in path.parts):
        raise ValueError("must have no name of more than 255 bytes")
    return text


def _output_name(text: str) -> str:
    _no_controls(text)
    if not text or text.startswith(".") or "/" in text or "\\" in text:
        raise ValueError("must be a plain file name without slashes or a leading dot")
    if len(text.encode()) > NAME_BYTES:
        raise ValueError(f"must be at most {NAME_BYTES} bytes long")
    return text


def _no_controls(text: str) -> None:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("must not hold control characters")


def _style(item: object) -> object:
    """`starry.jpg` is short for `{image: starry.jpg}`."""
    if isinstance(item, str):
        return {"image": item}
    if isinstance(item, dict | StyleEntry):
        return item
    raise ValueError("expected the name of a picture, or a mapping like {image: starry.jpg}")


def _styles(value: object) -> object:
    """`style: starry.jpg` is short for `style: [starry.jpg]`."""
    return value if isinstance(value, list | tuple) else [value]


PicturePath = Annotated[str, AfterValidator(_picture_path)]


class StyleEntry(Model):
    """One style of the mix."""

    image: PicturePath = Field(
        description="A picture beside the sidecar, or the name of one in the styles folder."
    )
    weight: float = Field(1.0, gt=0, le=1000, description="Its share of the mix.")
    scale: float = Field(
        1.0, ge=0.1, le=10, description="Size of its strokes relative to the content."
    )


StyleForm = Annotated[StyleEntry, BeforeValidator(_style, json_schema_input_type=str | StyleEntry)]
_StyleList = Annotated[list[StyleForm], Field(min_length=1, max_length=16)]
Styles = Annotated[
    _StyleList,
    BeforeValidator(_styles, json_schema_input_type=StyleForm | _StyleList),
]


class Output(Model):
    """What comes out."""

    name: Annotated[str, AfterValidator(_output_name)] | None = Field(
        None, description="Name in the outbox; the sidecar's own name by default."
    )
    size: int | None = Field(
        None, ge=16, le=16384, description="Longest side in pixels; the backend's default if unset."
    )
    format: Format | None = Field(None, description="File format; the config's default if unset.")


class Sidecar(Model):
    """A whole job: a content picture, one style or a mix, and wishes that all have defaults."""

    content: PicturePath = Field(description="The picture to be restyled, beside the sidecar.")
    style: Styles = Field(description="A style picture, or a list of several to mix.")
    output: Output = Field(Output(), description="Name, size and format of the result.")
    backend: str | None = Field(None, description="What makes the picture: see `nstd backends`.")
    options: dict[str, Any] = Field({}, description="Options of the backend.")
    priority: int | None = Field(
        None, ge=0, le=100, description="From 0 to 100; the highest runs first."
    )
    timeout: Seconds | None = Field(
        None, description="The longest one attempt may take, such as 30m."
    )

    @property
    def pictures(self) -> list[str]:
        """Every picture the sidecar names: the content first, then the styles in order."""
        return [self.content, *(style.image for style in self.style)]


Options = TypeVar("Options", bound=BaseModel)


@dataclass(frozen=True)
class SidecarFile:
    """A valid sidecar with its text, which gives later messages their places."""

    sidecar: Sidecar
    document: Document


def parse_sidecar(data: bytes, file: str) -> SidecarFile:
    """The sidecar in `data`; `file` is its name in messages.

    Raises SidecarError `sidecar_invalid`, with every problem of the file, each with its place.
    """
    try:
        document = strictyaml.read(data, file)
        value = diagnose.without_blanks(Sidecar, document.value)
        return SidecarFile(diagnose.validate(Sidecar, value, document), document)
    except DocumentError as error:
        hint = "correct the sidecar and drop it again; `nstd check` shows the same without a run"
        raise SidecarError.of("sidecar_invalid", error.problems, hint) from None


def parse_options(
    source: SidecarFile, options: type[Options], defaults: Mapping[str, Any] | None = None
) -> Options:
    """The sidecar's options for a backend whose model is `options`, `defaults` lying below them.

    Raises SidecarError `options_invalid` with every problem, and BackendError if the backend's
    own validator breaks.
    """
    said = source.sidecar.options
    value = {**(defaults or {}), **said}
    below: dict[tuple[str, ...], str] = {
        (key,): "options from the config" for key in value if key not in said
    }
    try:
        return diagnose.validate(options, value, source.document, at=("options",), elsewhere=below)
    except DocumentError as error:
        hint = "`nstd backends` lists what each backend takes"
        raise SidecarError.of("options_invalid", error.problems, hint) from None
    except Exception as error:  # a plugin's own code ran
        what = printable(f"{type(error).__name__}: {error}")
        raise BackendError(
            "backend_failed",
            f"{source.document.file}: the backend broke while it read its options: {what}",
            "tell the author of the backend",
        ) from error


def sidecar_schema(
    backends: Mapping[str, type[BaseModel]] | None = None, default: str | None = None
) -> dict[str, Any]:
    """The JSON Schema of a sidecar, for completion and checks in editors.

    `backends` gives the options of each backend, `default` the backend of sidecars that name
    none.
    """
    backends = dict(sorted((backends or {}).items()))
    models: list[type[BaseModel]] = [Sidecar, *backends.values()]
    refs, shared = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        schema_generator=_Untitled,
    )
    definitions = shared["$defs"]
    own = definitions.pop(refs[Sidecar, "validation"]["$ref"].rpartition("/")[2])
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **own,
        "title": "nstd sidecar",
    }
    if backends:
        schema["properties"]["backend"]["examples"] = list(backends)
        schema["allOf"] = [
            _options_rule(name, refs[model, "validation"], needed=name != default)
            for name, model in backends.items()
        ]
    return schema | {"$defs": definitions}


def _options_rule(backend: str, options: dict[str, Any], needed: bool) -> dict[str, Any]:
    """Sidecars of `backend` take `options`; so do those that name none, unless it is `needed`."""
    named: dict[str, Any] = {"properties": {"backend": {"const": backend}}}
    if needed:
        named["required"] = ["backend"]
    return {"if": named, "then": {"properties": {"options": options}}}


class _Untitled(GenerateJsonSchema):
    """Without the titles that only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False
