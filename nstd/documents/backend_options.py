"""What a sidecar says for its backend: the options, and the kinds of pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import Any, TypeVar

from pydantic import BaseModel

from nstd.documents import diagnostics
from nstd.documents.document import DocumentError, KeyPath
from nstd.documents.error_words import in_words
from nstd.documents.ramp import Ramp, options_at, said_ramps
from nstd.documents.sidecar import Sidecar, SidecarFile
from nstd.errors import BackendError, Problem, SidecarError, printable

Options = TypeVar("Options", bound=BaseModel)
_CONFIG = "options from the config"


def check_pictures(source: SidecarFile, backend: str, takes: Collection[str]) -> None:
    """Refuse pictures that `backend` would not use; `takes` are the roles that it uses.

    Raises SidecarError `options_invalid` with every such key.
    """
    document, problems = source.document, []
    several = isinstance(document.value["style"], list)
    for reference in source.sidecar.references:
        if reference.role in ("content", "style", *takes):
            continue
        place: KeyPath = (reference.role,)
        if reference.style is not None:
            place = (
                ("style", reference.style, reference.role) if several else ("style", reference.role)
            )
        text = f"{reference.role}: the backend '{backend}' has no use for it"
        problems.append(document.problem(place, text, key=True))
    if problems:
        hint = "leave it out, or name another backend: `nstd backends` lists what each takes"
        raise SidecarError.of("options_invalid", sorted(set(problems)), hint)


def parse_options(
    source: SidecarFile, options: type[Options], defaults: Mapping[str, Any] | None = None
) -> Options:
    """The sidecar's options for a backend with the model `options`, completed by `defaults`.

    Of a ramp, the value of its first point. Raises SidecarError `options_invalid` with every
    problem, and BackendError if a validator of the backend itself fails.
    """
    said = source.sidecar.options
    value = {**(defaults or {}), **said}
    below: dict[tuple[str, ...], str] = {(key,): _CONFIG for key in value if key not in said}
    try:
        ramps = _ramps(source, value)
        times = sorted({time for ramp in ramps.values() for time in _tried(ramp)}) or [0.0]
        found = [
            diagnostics.validate(
                options,
                options_at(value, ramps, time),
                source.document,
                at=("options",),
                elsewhere=below,
                whole=Sidecar,
            )
            for time in times
        ]
        return found[0]
    except DocumentError as error:
        is_unknown = any("unknown key" in problem.message for problem in error.problems)
        hint = "`nstd backends` lists what each backend takes" if is_unknown else ""
        raise SidecarError.of("options_invalid", error.problems, hint) from None
    except BaseException as error:  # a plugin's own code ran, and may even call sys.exit
        what = printable(f"{type(error).__name__}: {in_words(error)}")
        raise BackendError(
            "backend_failed",
            f"{source.document.file}: the backend broke while it read its options: {what}",
            "tell the author of the backend",
        ) from error


def as_json(options: BaseModel, source: SidecarFile, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of `parse_options` as a job keeps them: a ramp as it was said."""
    ramps = said_ramps({**defaults, **source.sidecar.options})
    return options.model_dump(mode="json") | {name: dict(said) for name, said in ramps.items()}


def _ramps(source: SidecarFile, value: Mapping[str, Any]) -> dict[str, Ramp]:
    """The ramps among the options. Raises DocumentError for those that are none."""
    ramps, problems = dict[str, Ramp](), []
    for name, points in said_ramps(value).items():
        try:
            ramps[name] = Ramp.of(points)
        except ValueError as error:
            text, is_said = printable(f"{name}: {error}"), name in source.sidecar.options
            place = source.document.mark(("options", name)) if is_said else (0, 0)
            file = source.document.file if is_said else _CONFIG
            problems.append(Problem(file, *place, text))
    if problems:
        raise DocumentError(problems)
    return ramps


def _tried(ramp: Ramp) -> list[float]:
    """The times of a ramp, and those between them: a backend may take whole numbers alone."""
    between = [(one + other) / 2 for one, other in pairwise(ramp.times)]
    return [*ramp.times, *between]
