"""The sidecar: the model of the small YAML file that describes a job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field

from nstd.documents import diagnostics, strict_yaml
from nstd.documents.crossfade import Crossfade, Span
from nstd.documents.document import Document, DocumentError
from nstd.documents.film import FrameRange
from nstd.documents.model import BATCH_ID, Membership, Model, OutputFormat, Role
from nstd.documents.names import ContentPath, OutputName, PicturePath, check_output_name
from nstd.errors import Problem, SidecarError
from nstd.system.units import Seconds

SERIES = 100  # pictures at most; each job of a series has a copy of all


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


class PictureReference(NamedTuple):
    """A picture that a sidecar names, and its role."""

    role: Role
    source: str
    label: str  # its unique label: `content`, `style-1`, `region-1`
    style: int | None = None  # the number of the style that it belongs to, from 0


class StyleEntry(Model):
    """One style of the mix."""

    image: PicturePath = Field(
        description="A picture beside the sidecar, or the name of one in the styles folder."
    )
    weight: float = Field(1.0, gt=0, le=1000, description="Its share of the mix.")
    scale: float = Field(
        1.0, ge=0.1, le=10, description="Size of its strokes relative to the content."
    )
    region: PicturePath | None = Field(
        None, description="A grey picture laid over the content: white where this style applies."
    )
    mask: PicturePath | None = Field(
        None, description="A grey picture laid over the style: white where the style counts."
    )
    begin: Seconds | None = Field(
        None,
        alias="from",
        description="In a film, when it begins: a time of the result, such as 3s. Where the one "
        "before it still runs, that fades into it.",
    )
    end: Seconds | None = Field(
        None, alias="to", description="In a film, when it ends, such as 4s; at the end if unset."
    )

    @property
    def span(self) -> Span:
        """When it runs, in a film."""
        return Span(self.image, self.begin or 0.0, self.end, self.weight, self.region)

    def references(self, number: int) -> list[PictureReference]:
        """The pictures of this entry, which is `number` from 0 in its list."""
        roles: dict[Role, str | None] = {
            "style": self.image,
            "region": self.region,
            "mask": self.mask,
        }
        return [
            PictureReference(role, source, f"{role}-{number + 1}", number)
            for role, source in roles.items()
            if source is not None
        ]


def _in_turn(styles: list[StyleEntry]) -> list[StyleEntry]:
    if problems := list(Crossfade([style.span for style in styles]).problems()):
        raise ValueError("; ".join(problems))
    return styles


StyleForm = Annotated[StyleEntry, BeforeValidator(_style, json_schema_input_type=str | StyleEntry)]
_StyleList = Annotated[list[StyleForm], Field(min_length=1, max_length=16)]
Styles = Annotated[
    _StyleList,
    AfterValidator(_in_turn),
    BeforeValidator(_styles, json_schema_input_type=StyleForm | _StyleList),
]


class Output(Model):
    """What comes out."""

    name: OutputName | None = Field(
        None, description="Name in the outbox; the sidecar's own name by default."
    )
    size: int | None = Field(
        None,
        ge=16,
        le=16384,
        description="Longest side in pixels, up to 4 times that of the content, which is enlarged. "
        "If unset, the backend's default (512 for gatys), and at most that of the content.",
    )
    format: OutputFormat | None = Field(
        None,
        description="File format: png, jpg, webp or tiff, the config's default if unset; of a film "
        "mp4, webm, gif, webp, apng or frames (a folder of PNG), that of the content if unset.",
    )
    seconds: Seconds | None = Field(
        None,
        gt=0,
        description="Makes a film of a picture, which is so long, such as 6s; mp4 if no format is "
        "said.",
    )
    frames: FrameRange | None = Field(
        None, description="Only these frames of a film, counted from 1, like 24..240 or 24.. ."
    )
    every: int | None = Field(
        None, ge=1, le=1000, description="Only every second, third ... frame of a film."
    )
    fps: float | None = Field(
        None,
        gt=0,
        le=1000,
        allow_inf_nan=False,
        description="Frames of a film in a second: fewer than it has are left out. Of a picture "
        "with seconds, how many there are; 12 if unset.",
    )


def _membership(batch: Membership) -> Membership:
    if not BATCH_ID.fullmatch(batch.id):
        raise ValueError("expected the id of a batch")
    check_output_name(batch.name)
    return batch


class SharedKeys(Model):
    """The keys with defaults that sidecars and recipes share."""

    init: PicturePath | None = Field(
        None, description="A picture that the work starts at, instead of the content."
    )
    series: list[PicturePath] = Field(
        [],
        max_length=SERIES,
        description="All contents of a series that is to look alike.",
    )
    output: Output = Field(Output(), description="Name, size and format of the result.")
    backend: str | None = Field(None, description="What makes the picture: see `nstd backends`.")
    options: dict[str, Any] = Field({}, description="Options of the backend.")
    priority: int | None = Field(
        None, ge=0, le=100, description="From 0 to 100; the highest runs first."
    )
    timeout: Seconds | None = Field(
        None, description="The longest one attempt may take, such as 30m; of a film, each frame."
    )


class OptionalKeys(SharedKeys):
    """The keys of a sidecar that have defaults: all but the content and the style."""

    batch: Annotated[Membership, AfterValidator(_membership)] | None = Field(
        None, description="Which member of a batch this is; nstd itself writes it."
    )


class Sidecar(OptionalKeys):
    """A whole job: a content picture, one style or several to mix, and optional keys."""

    content: ContentPath = Field(
        description="The picture to be restyled, beside the sidecar; or a film, or a folder of "
        "its frames, like frames/."
    )
    style: Styles = Field(description="A style picture, or a list of several to mix.")

    @property
    def references(self) -> list[PictureReference]:
        """Every picture the sidecar names: the content first, then the styles in order."""
        references = [PictureReference("content", self.content, "content")]
        for number, style in enumerate(self.style):
            references += style.references(number)
        if self.init is not None:
            references.append(PictureReference("init", self.init, "init"))
        for number, source in enumerate(self.series, start=1):
            references.append(PictureReference("series", source, f"series-{number}"))
        return references

    @property
    def pictures(self) -> list[str]:
        """The names of `references`, in the same order."""
        return [picture.source for picture in self.references]


@dataclass(frozen=True)
class SidecarFile:
    """A valid sidecar with its text, for the lines and columns of later messages."""

    sidecar: Sidecar
    document: Document


def parse_sidecar(data: bytes, file: str) -> SidecarFile:
    """The sidecar in `data`; `file` is its name in messages.

    Raises SidecarError `sidecar_invalid` with every problem of the file, with line and column.
    """
    try:
        document = strict_yaml.read(data, file)
        value = diagnostics.without_blanks(Sidecar, document.value)
        return SidecarFile(diagnostics.validate(Sidecar, value, document), document)
    except DocumentError as error:
        raise invalid(error.problems) from None


def invalid(problems: Sequence[Problem]) -> SidecarError:
    """The error for a sidecar that has these problems."""
    hint = "`nstd check` shows the same without a run"
    return SidecarError.of("sidecar_invalid", problems, hint)
