"""Contents that are films: found by their first bytes, and what a sidecar says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from nstd.documents.crossfade import Crossfade
from nstd.documents.document import KeyPath
from nstd.documents.film import STILL, STILL_RATE, FilmSettings, frames_of_still
from nstd.documents.grid import GridFile
from nstd.documents.model import FILM_FORMATS
from nstd.documents.ramp import said_ramps
from nstd.documents.settings import LimitSettings
from nstd.documents.sidecar import SidecarFile
from nstd.errors import Problem, SidecarError, printable
from nstd.intake.locator import Found
from nstd.intake.plan import EffectiveSettings, Plan
from nstd.system.units import format_size

if TYPE_CHECKING:
    from nstd.images.film.kinds import FilmKind

Kinds = Mapping[str, "FilmKind | None"]
"""From the names of contents in a sidecar to their kinds of films; None: it is a picture. Those
that are not there yet are left out."""
_CHOICES = ("frames", "every", "fps")
_MAKE_FILM = "; output.seconds makes a film of it, like `output: {seconds: 6}`"
_NO_FILMS = {
    "init": "init: a film starts at its own frames",
    "series": "series: a film is a series of its own, and has one look in any case",
}


def film_kind_of(picture: Found) -> FilmKind | None:
    """The kind of a film, by its first bytes; None for a picture. Raises OSError."""
    if picture.is_folder:
        return "frames"
    if picture.frame is not None:
        return None
    from nstd.images.film import kinds

    try:
        with picture.root.open(picture.name) as file:
            return kinds.film_kind_of(file)
    except SidecarError:  # it is a link by now: the claim will refuse it
        return None


def too_large(
    sidecar: str, pictures: Iterable[Found], limits: LimitSettings
) -> SidecarError | None:
    """The error for a picture or a film with too many bytes, which is not copied; else None.

    Raises OSError for a file that has too many for a picture, and cannot be opened.
    """
    for picture in pictures:
        size, most, which = picture.signature.size, limits.picture_bytes, "picture_bytes"
        if size > most and (picture.frame is not None or film_kind_of(picture)):
            most, which = limits.film_bytes, "film_bytes"
        if size > most:
            return SidecarError(
                "picture_refused",
                f"{printable(sidecar)}: {picture.source!r} has {format_size(size)}, more than the "
                f"limit of {format_size(most)}",
                f"make it smaller, or raise limits.{which}",
            )
    return None


def kinds_of(file: GridFile, pictures: Iterable[Found]) -> Kinds:
    """The kinds of the contents of a sidecar whose pictures are found. Raises OSError."""
    found = dict(zip(file.pictures, pictures, strict=True))
    return {source: film_kind_of(found[source]) for source in file.sidecar.content}


def with_films(plan: Plan, file: GridFile, kinds: Kinds, usual: str | None = None) -> Plan:
    """The plan of the sidecar `file`, where contents that are films have the settings of films.

    Raises SidecarError for keys that are not for pictures, or not for films. With `usual`, the
    sidecar is made by a recipe, which is for both: keys for the other kind have no effect, and
    `usual` is the format of a picture.
    """
    if not plan.axes:
        (part,) = file.members(())
        return plan._replace(order=_order(plan.order, part, kinds, usual))
    members = tuple(
        member._replace(order=_order(member.order, member.parsed, kinds, usual))
        for member in plan.members
    )
    return plan._replace(members=members)


def _order(
    order: EffectiveSettings, part: SidecarFile, kinds: Kinds, usual: str | None
) -> EffectiveSettings:
    source, said = part.sidecar.content, part.sidecar.output
    if source not in kinds:
        return order
    kind = kinds[source]
    is_film = kind is not None or said.seconds is not None
    problems = _film_problems(part, kind) if is_film else _picture_problems(part, order)
    if problems and usual is None:
        raise SidecarError.of("sidecar_invalid", problems, "`nstd help film` says more")
    if kind is None and said.seconds is not None:
        return _of_still(order, part)
    if kind is None:
        is_of_film = order.format in FILM_FORMATS and order.format != "webp"
        return order.model_copy(update={"format": usual}) if is_of_film else order
    from nstd.images.film.kinds import output_format

    return _with_film(order, part, FilmSettings(kind=kind), output_format(kind))


def _with_film(
    order: EffectiveSettings, part: SidecarFile, film: FilmSettings, usual: str
) -> EffectiveSettings:
    """The settings of a film; `usual` is its format if the sidecar says none of a film."""
    said = part.sidecar.output
    chosen = {key: value for key in _CHOICES if (value := getattr(said, key)) is not None}
    format = said.format if said.format in FILM_FORMATS else usual
    return order.model_copy(update={"film": film.model_copy(update=chosen), "format": format})


def _of_still(order: EffectiveSettings, part: SidecarFile) -> EffectiveSettings:
    """The settings of a film that is made of a picture. Raises SidecarError for times that do not
    fit to its length."""
    seconds, fps = part.sidecar.output.seconds, part.sidecar.output.fps or STILL_RATE
    assert seconds is not None
    count = frames_of_still(seconds, fps)
    if count < 2:
        text = f"seconds: {seconds:g} s at {fps:g} frames a second is one frame, and so no film"
        raise SidecarError.of("sidecar_invalid", [_problem(part, ("output", "seconds"), text)])
    spans = [style.span for style in part.sidecar.style]
    gaps = [f"style: {text}" for text in Crossfade(spans).gaps_until((count - 1) / fps)]
    if gaps and part.sidecar.output.frames is None and part.sidecar.output.every is None:
        problems = [_problem(part, ("style",), printable(text)) for text in gaps]
        raise SidecarError.of("sidecar_invalid", problems, "`nstd help film` says more")
    return _with_film(order, part, FilmSettings(kind=STILL, seconds=seconds, fps=fps), "mp4")


def _picture_problems(part: SidecarFile, order: EffectiveSettings) -> list[Problem]:
    """What a sidecar says that is for films alone."""
    said, problems = part.sidecar.output, []
    if said.format in FILM_FORMATS and said.format != "webp":
        text = f"format: {said.format} is that of a film, and {part.sidecar.content!r} is a picture"
        problems.append(_problem(part, ("output", "format"), f"{text}{_MAKE_FILM}"))
    for place in _film_places(part, order):
        key = "strength: a ramp" if place[-1] == "strength" else f"{place[-1]}:"
        text = f"{key} is for films, and {part.sidecar.content!r} is a picture{_MAKE_FILM}"
        problems.append(part.document.problem(place, text, key=True))
    return problems


def _film_places(part: SidecarFile, order: EffectiveSettings) -> Iterator[KeyPath]:
    """The keys of a sidecar that are for films alone."""
    yield from (
        ("output", key) for key in _CHOICES if getattr(part.sidecar.output, key) is not None
    )
    for number, style in enumerate(part.sidecar.style):
        for key, value in (("from", style.begin), ("to", style.end)):
            if value is not None:
                yield ("style", number, key)
    yield from (("options", name) for name in said_ramps(order.options))


def _film_problems(part: SidecarFile, kind: FilmKind | None) -> list[Problem]:
    """What a sidecar says that is not for films; `kind` None: of one that is made of a picture."""
    said, problems = part.sidecar.output, []
    if said.format is not None and said.format not in FILM_FORMATS:
        what = f"{part.sidecar.content!r} is a film" if kind else "`seconds` makes a film of it"
        text = f"format: {said.format} is that of a picture, and {what}; a film has one of "
        text += ", ".join(FILM_FORMATS)
        problems.append(_problem(part, ("output", "format"), text))
    if said.seconds is not None and kind is not None:
        text = f"seconds: makes a film of a picture, and {part.sidecar.content!r} is a film; choose"
        problems.append(_problem(part, ("output", "seconds"), f"{text} its frames with `frames`"))
    for key, text in _NO_FILMS.items():
        if getattr(part.sidecar, key):
            problems.append(_problem(part, (key,), text))
    return problems


def _problem(part: SidecarFile, place: KeyPath, text: str) -> Problem:
    return part.document.problem(place, text)
