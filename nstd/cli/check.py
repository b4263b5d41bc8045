"""`nstd check`: validate sidecars, recipes or a config, and survey folders, without running."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import click

from nstd.backends.registry import Backends
from nstd.cli.app import config_option, config_or_defaults
from nstd.cli.check_folder import check_folder, describe_recipe
from nstd.cli.excerpt import excerpt, lines_of
from nstd.documents import diagnostics, strict_yaml
from nstd.documents.axis import describe
from nstd.documents.config import Config, find_config, load_config
from nstd.documents.document import Document, DocumentError, Mark, Value
from nstd.documents.film import FILM_SUFFIXES
from nstd.documents.grid import GridFile, GridSidecar, parse_grid
from nstd.documents.recipe import parse_recipe
from nstd.documents.strict_yaml import MAX_BYTES
from nstd.documents.template import CONFIG_SCHEMA
from nstd.errors import (
    BackendError,
    FileError,
    NstdError,
    Problem,
    SidecarError,
    did_you_mean,
    in_shell,
    printable,
)
from nstd.intake.films import film_kind_of, with_films
from nstd.intake.locator import Locator, advice_on_name, is_picture, refuse_ignored
from nstd.intake.names import is_recipe, is_sidecar, mistake
from nstd.intake.plan import Plan, make_plan
from nstd.intake.recipe_cache import count_jobs
from nstd.system.nofollow import Folder
from nstd.system.units import counted

_PICTURES = {"content", "style", "styles", "init", "series"}
_HINT_IS_CHECK = {"sidecar_invalid", "config_invalid"}
"""Errors whose hint is to run `nstd check`; the hint is not shown here."""


@click.command("check")
@config_option
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
def command(config: Path | None, files: tuple[Path, ...]) -> None:
    """Say what is wrong with sidecars: file, line, column, and the nearest right key.

    Pictures may come later: one that is not there yet is only noted. A config is checked, too. Of a
    folder with a recipe, each file is named with what becomes of it.
    """
    checker = _Checker(config)
    wrong = [path for path in files if not checker.check(path)]
    sys.exit(1 if wrong else 0)


class _Checker:
    """Checks one file after the other."""

    def __init__(self, config: Path | None) -> None:
        if config is not None:
            find_config(config)  # report a missing config before the files
        self._given, self._plugins = config, Backends()

    @cached_property
    def _config(self) -> Config:
        return config_or_defaults(self._given)

    def check(self, path: Path) -> bool:
        """Print the result of one file; whether it is valid."""
        name = printable(path)
        if not path.exists() and set("*?[") & set(name):
            click.echo(f"{name}: no file is called so, and no file of this pattern was found")
            return False
        if is_picture(path.name) and path.exists():
            click.echo(
                f"{name} is {_kind(path)}, and no sidecar or config; "
                f"`nstd submit {in_shell(path)} STYLE` makes a job of it"
            )
            return False
        if path.is_dir():
            return check_folder(path, self._config, self._plugins)
        try:
            with Folder(path.parent).open(path.name) as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            click.echo(f"{name}: {error.strerror}")
            return False
        except SidecarError as error:
            click.echo(f"{name}: {error.message}")
            return False
        return self._check(path, data, name)

    def _check(self, path: Path, data: bytes, name: str) -> bool:
        config = None if self._is_config(path, data) else self._config
        try:
            if config is None:
                load_config(path)
                click.echo(f"{name}: fine, a config")
            elif is_recipe(path.name):
                self._check_recipe(path, data, name)
            else:
                self._check_sidecar(path, data, name)
        except FileError as error:
            is_sidecar_wrong = error.code == "sidecar_invalid" and not is_recipe(path.name)
            more = self._option_problems(data, name) if is_sidecar_wrong else []
            _show(sorted({*error.problems, *more}), data)
            if error.code not in _HINT_IS_CHECK:
                click.echo(f"  {error.hint}")
            return False
        except NstdError as error:
            click.echo(f"{name}: {error.message}\n  {error.hint}".rstrip())
            return False
        return True

    def _is_config(self, path: Path, data: bytes) -> bool:
        """Whether the file is a config: by its first line, or because it is the config in use."""
        if CONFIG_SCHEMA.encode() in data.partition(b"\n")[0]:
            return True
        try:
            return find_config(self._given).samefile(path)
        except NstdError:
            return False

    def _check_recipe(self, path: Path, data: bytes, name: str) -> None:
        recipe = parse_recipe(data, name)
        jobs = count_jobs(
            f"{printable(path.parent.name)}/{path.name}", recipe, self._config, self._plugins
        )
        click.echo(f"{name}: fine, {describe_recipe(jobs)}")

    def _check_sidecar(self, path: Path, data: bytes, name: str) -> None:
        file = parse_grid(data, name)
        plan = self._plan(path.name, file)
        self._refuse_ignored(file)
        self._show_absent(path, file, data)
        kinds = self._kinds(path, file)
        with_films(plan, file, kinds)
        _refuse_films(file, kinds)
        jobs = (
            f", makes {counted(len(plan.members), 'job')} ({describe(plan.axes)})"
            if plan.axes
            else ""
        )
        if not is_sidecar(path.name):
            why = mistake(path.name) or "is passed over in an inbox: rename it to NAME.yaml"
            click.echo(printable(f"{name}: note: {why}"))
        click.echo(printable(f"{name}: fine{jobs}"))

    def _plan(self, name: str, file: GridFile) -> Plan:
        """The plan; an unknown backend is reported as a problem with line and column."""
        try:
            return make_plan(name, file, self._config, self._plugins)
        except BackendError as error:
            problem = file.document.problem(("backend",), f"backend: {error.message}")
            raise SidecarError.of(error.code, [problem], error.hint) from None

    def _option_problems(self, data: bytes, name: str) -> Sequence[Problem]:
        """The problems with a backend's options, in a sidecar that has other problems too."""
        try:
            document = strict_yaml.read(data, name)
            said: dict[str, Value] = {"content": "a", "style": "b"}
            said |= {k: v for k, v in document.value.items() if k in ("backend", "options")}
            document = replace(document, value=said)
            value = diagnostics.without_blanks(GridSidecar, document.value)
            file = GridFile(diagnostics.validate(GridSidecar, value, document), document)
            self._plan(name, file)
        except FileError as error:
            return error.problems
        except DocumentError:
            pass  # backend and options have problems that are already reported
        return []

    def _show_absent(self, path: Path, file: GridFile, data: bytes) -> None:
        """Show a note of each picture that is neither beside the sidecar nor among the styles.

        Raises SidecarError if one has the name of a pattern or a list, which no picture has.
        """
        root, name = self._inbox_of(path)
        locator = Locator(Folder(root), Folder(self._config.folder("styles")))
        problems, is_hopeless = list[Problem](), False
        for source in dict.fromkeys(file.pictures):
            try:
                if locator.find(name, source) is not None:
                    continue
            except OSError:
                continue  # it is where this command cannot read
            except SidecarError as error:
                if root != self._config.folder("inbox").resolve():  # not dropped yet
                    continue
                place = _place(file.document, source)
                problem = Problem(file.document.file, *place, error.message)
                raise SidecarError.of(error.code, [problem], error.hint) from None
            if advice := advice_on_name(source):
                is_hopeless, text = True, f"no picture is called '{source}'{advice}"
            else:
                near = did_you_mean(locator.nearest(name, source))
                text = f"note: '{source}' is not there yet{near}"
            place = _place(file.document, source)
            problems.append(Problem(file.document.file, *place, printable(text)))
        if is_hopeless:
            raise SidecarError.of("sidecar_invalid", problems)
        _show(problems, data)

    def _kinds(self, path: Path, file: GridFile) -> dict[str, Any]:
        """Which of the pictures that are there are films, and of what kind."""
        root, name = self._inbox_of(path)
        locator, kinds = Locator(Folder(root), Folder(self._config.folder("styles"))), {}
        for source in file.pictures:
            with suppress(OSError, SidecarError):
                if (found := locator.find(name, source)) is not None:
                    kinds[source] = film_kind_of(found)
        return kinds

    def _refuse_ignored(self, file: GridFile) -> None:
        """Raise SidecarError for pictures that will never be found, whatever comes."""
        problems = []
        for source in dict.fromkeys(file.pictures):
            try:
                refuse_ignored(source)
            except SidecarError as error:
                place = _place(file.document, source)
                problems.append(Problem(file.document.file, *place, error.message))
                hint = error.hint
        if problems:
            raise SidecarError.of("path_refused", problems, hint)

    def _inbox_of(self, path: Path) -> tuple[Path, str]:
        """The inbox that contains the sidecar, else its own folder; and its name relative to it."""
        inbox, real = self._config.folder("inbox").resolve(), path.parent.resolve()
        if real.is_relative_to(inbox):
            return inbox, str((real / path.name).relative_to(inbox))
        return path.parent, path.name


def _place(document: Document, source: str) -> Mark:
    """The place of the first mention of a picture."""
    for path, mark in document.values.items():
        value: object = document.value
        for step in path:
            value = value[step]  # type: ignore[index]
        if path and path[0] in _PICTURES and value == source:
            return mark
    return 0, 0


def _kind(path: Path) -> str:
    return "a film" if path.name.lower().endswith(FILM_SUFFIXES) else "a picture"


def _refuse_films(file: GridFile, kinds: Mapping[str, Any]) -> None:
    """Raise SidecarError for films that are neither a content nor a frame of one."""
    problems = []
    for source, kind in kinds.items():
        if kind is not None and source not in file.sidecar.content:
            text = printable(f"'{source}' is a film; name one of its frames, like {source}#0")
            problems.append(Problem(file.document.file, *_place(file.document, source), text))
    if problems:
        raise SidecarError.of("picture_refused", problems)


def _show(problems: Sequence[Problem], data: bytes) -> None:
    lines = lines_of(data)
    for problem in problems[: FileError.shown]:
        click.echo(f"{problem}\n{excerpt(lines, problem)}".rstrip())
    if (more := len(problems) - FileError.shown) > 0:
        click.echo(f"... and {more} more")
