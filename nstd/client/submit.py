"""Puts pairs into the inbox: pictures first, sidecars last, each by one rename."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nstd.backends.registry import Backends
from nstd.backends.weights import require
from nstd.backends.weights_registry import REGISTRY
from nstd.client.drop import drop_picture, drop_sidecar
from nstd.client.editor import keep_sidecar_schema
from nstd.client.film_check import check_films, drop_folder, file_of, films_of, refuse_films
from nstd.client.picture_check import check_files, check_pictures
from nstd.documents.config import Config
from nstd.documents.film import frame_of, split_frame
from nstd.documents.grid import parse_grid
from nstd.documents.names import NAME_BYTES
from nstd.documents.sidecar_writer import dump, refused, set_option, without_places
from nstd.errors import SidecarError, printable
from nstd.images.film.kinds import FilmKind
from nstd.intake.films import with_films
from nstd.intake.locator import Locator
from nstd.intake.names import is_ignored, is_recipe, is_sidecar
from nstd.intake.plan import EffectiveSettings, Plan, make_plan, safe_name
from nstd.system.durable import Files
from nstd.system.nofollow import Folder
from nstd.system.numbered import distinct


@dataclass(frozen=True)
class SubmitRequest:
    """What to submit: each of `contents` in the style, which is a file or a name in the library.

    A content, and a style, can be one frame of a film, like `clip.mp4#0`.
    `options` are `key=value` texts. A key without a known first part is an option of the backend:
    `preset=fine` is short for `options.preset=fine`. With `series`, the contents are to look alike.
    `more_styles` are mixed with the style. With `grid` all goes into one sidecar, which makes a job
    of each combination, also with each of the styles and of the values in `options` such as
    `style_weight=0.5,1`.
    """

    contents: Sequence[Path]
    style: str
    options: Sequence[str] = ()
    name: str | None = None
    init: Path | None = None
    series: bool = False
    grid: bool = False
    more_styles: Sequence[str] = ()

    def sidecars(self, rename: Callable[[Path], str]) -> Iterator[tuple[str, dict[str, Any]]]:
        """The name and the values of each sidecar; `rename` gives the name of a file in the
        inbox."""
        groups = [self.contents] if self.grid else [[content] for content in self.contents]
        for contents in groups:
            yield self._stem(contents[0]), self._values(contents, rename)

    def _values(self, contents: Sequence[Path], rename: Callable[[Path], str]) -> dict[str, Any]:
        names = [_content_name(content, rename) for content in contents]
        styles = [self._named(style, rename) for style in self.styles]
        values: dict[str, Any] = {"content": names if len(names) > 1 else names[0]}
        if len(styles) == 1:
            values["style"] = styles[0]
        else:
            values["styles" if self.grid else "style"] = styles
        if self.init is not None:
            values["init"] = rename(self.init)
        if self.series:
            values["series"] = [_content_name(each, rename) for each in self.contents]
        for option in self.options:
            set_option(values, option, lists=self.grid)
        return values

    @staticmethod
    def _named(style: str, rename: Callable[[Path], str]) -> str:
        """How the sidecar names a style: a file, a frame of a film, or a name in the library."""
        file, frame = Path(split_frame(style)[0]), frame_of(style)
        return rename(file) + frame if file.is_file() else style

    def _stem(self, content: Path) -> str:
        mix = "+".join(Path(style).stem for style in self.styles)
        return safe_name(self.name or f"{content.stem}-{'grid' if self.grid else f'in-{mix}'}")

    @property
    def summary(self) -> str:
        """How the request is understood, in words."""
        contents = ", ".join(content.name for content in self.contents)
        styles = [Path(style).name for style in self.styles]
        how = f"each of {contents}" if len(self.contents) > 1 else contents
        if len(styles) == 1:
            return f"read as: {how}, in the style of {styles[0]}"
        if self.grid:
            return f"read as: {how}, in each of the styles {', '.join(styles)}"
        return f"read as: {how}, in a mix of the styles {', '.join(styles)}"

    @property
    def styles(self) -> list[str]:
        """All styles."""
        return [self.style, *self.more_styles]

    @property
    def given(self) -> list[Path]:
        """What there is of the contents, styles and the start, picture files or not."""
        styles = [Path(style) for style in self.styles if Path(style).exists()]
        contents = [content for content in self.contents if content not in self.frames]
        return [*contents, *styles, *([self.init] if self.init else [])]

    @property
    def frames(self) -> list[Path]:
        """The contents and styles that are one frame of a film."""
        named = [*self.contents, *map(Path, self.styles)]
        return [each for each in named if (file := file_of(each)) != each and file.is_file()]

    @property
    def files(self) -> list[Path]:
        """All pictures and films to be copied."""
        styles = [file for style in self.styles if (file := file_of(Path(style))).is_file()]
        contents = [file_of(content) for content in self.contents]
        return [*contents, *styles, *([self.init] if self.init else [])]


def _content_name(content: Path, rename: Callable[[Path], str]) -> str:
    """How the sidecar names a content."""
    file = file_of(content)
    return rename(file) + str(content).removeprefix(str(file))


class Submitted(NamedTuple):
    """A sidecar in the inbox, and the names by which its job or batch can be found."""

    sidecar: Path
    name: str
    mtime_ns: int
    is_batch: bool = False


def submit(config: Config, request: SubmitRequest) -> list[Submitted]:
    """Submit pairs; returns the new sidecars, in the order of the contents.

    Raises SidecarError, before anything is copied, when a job is not valid, and OSError when the
    disk fails.
    """
    inbox, files = config.folder("inbox"), Files()
    checked = _check(config, request)
    keep_sidecar_schema(config)
    share = config.jobs.pictures == "keep"
    placed = {
        picture: f"{drop_folder(picture, inbox / picture.resolve().name, files).name}/"
        if picture.is_dir()
        else drop_picture(picture, inbox, files, share=share).name
        for picture in dict.fromkeys(request.files)
    }
    sidecars = []
    for (name, is_batch), (stem, values) in zip(
        checked, request.sidecars(placed.__getitem__), strict=True
    ):
        sidecar, mtime_ns = drop_sidecar(values, stem, inbox, files)
        sidecars.append(Submitted(sidecar, name or sidecar.stem, mtime_ns, is_batch))
    return sidecars


def _check(config: Config, request: SubmitRequest) -> list[tuple[str | None, bool]]:
    """The name that each sidecar gives to its result, and whether it makes a batch.

    Refuses now what the daemon would refuse later; the errors have no lines, because these
    sidecars are not files yet.
    """
    films = films_of(request.contents)
    check_files((path for path in request.given if path not in films), config.limits)
    if request.name is not None:
        _check_name(request.name)
    plugins, plans = Backends(), list[Plan]()
    files = list(dict.fromkeys(request.files))
    names = distinct([path.resolve().name if path.is_dir() else path.name for path in files])
    called = {
        path: f"{name}/" if path.is_dir() else name for path, name in zip(files, names, strict=True)
    }
    kinds = {_content_name(each, called.__getitem__): films.get(each) for each in request.contents}
    checked = []
    for stem, values in request.sidecars(called.__getitem__):
        if is_recipe(f"{stem}.yaml"):
            raise refused(stem, "a sidecar cannot be called so: recipe.yaml is that of a folder")
        try:
            parsed = parse_grid(dump(values), stem)
            plan = make_plan(f"{stem}.yaml", parsed, config, plugins)
            plan = with_films(plan, parsed, kinds)
            check_weights(plan, config)
            plans.append(plan)
            checked.append((parsed.sidecar.output.name, bool(plan.axes)))
        except SidecarError as error:
            raise _told(error, request) from None
    _check_pictures(config, request, plans, films)
    check_names(picture.name for picture in request.files)
    for style in request.styles:
        if not Path(split_frame(style)[0]).is_file():
            check_library(config, style)
    return checked


def _told(error: SidecarError, request: SubmitRequest) -> SidecarError:
    """An error about the sidecar that would be written, as one about the command line."""
    told = without_places(error, "command line")
    has_several = any("," in option for option in request.options)
    if error.code == "options_invalid" and has_several and not request.grid:
        more = "--grid makes a job of each of several values, like `--grid -o strength=0.5,0.7`"
        told.hint = f"{more}; {told.hint}" if told.hint else more
    return told


def _check_name(name: str) -> None:
    """Refuse a name that the sidecar and the result could not have just so."""
    if safe_name(name) != unicodedata.normalize("NFC", name) or is_ignored(f"{name}.yaml"):
        message = (
            "no name for a result: it is the name of a file, so it has no / and no \\, at most "
            f"{NAME_BYTES} bytes, and does not begin with a dot or look like a temporary file's"
        )
        raise refused(f"--name {name}", message)


def _check_pictures(
    config: Config,
    request: SubmitRequest,
    plans: Iterable[Plan],
    films: Mapping[Path, FilmKind],
) -> None:
    """Refuse pictures and films that the job would refuse."""
    orders = [order for plan in plans for order in _orders(plan)]
    side = max((order.size or 0 for order in orders if order.enlarge), default=0)
    sides, frames = dict.fromkeys(request.contents, side), request.frames
    check_films([*films, *frames], config.limits, sides)
    of_frames = {file_of(frame) for frame in frames}
    left = [path for path in request.files if path not in films and path not in of_frames]
    refuse_films(left)
    check_pictures(left, config.limits, sides)


def _orders(plan: Plan) -> list[EffectiveSettings]:
    """The settings of each job of a plan."""
    return [member.order for member in plan.members] or [plan.order]


def check_weights(plan: Plan, config: Config) -> None:
    """Refuse a network whose weights are absent: the job would fail."""
    orders = _orders(plan)
    for name in {order.options.get("network") for order in orders if order.backend == "gatys"}:
        if name in REGISTRY:
            require(name, config.folder("networks"))


def check_names(names: Iterable[str]) -> None:
    """Refuse names that the inbox would ignore, or treat as sidecars."""
    for name in names:
        if is_ignored(name) or is_sidecar(name) or is_recipe(name):
            message = "in an inbox, a file of this name is no picture; rename it"
            raise refused(name, message)


def check_library(config: Config, style: str) -> None:
    """Refuse a style that is neither a file nor in the library: its job would wait for it."""
    locator = Locator(Folder(config.folder("inbox")), Folder(config.folder("styles")))
    if locator.find("submitted.yaml", style) is None:
        folder = printable(config.folder("styles"))
        raise refused(style, f"no such picture file, and none of that name is in {folder}")
