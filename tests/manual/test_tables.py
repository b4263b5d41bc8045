"""The tables of the manual are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from manual.documents import PAGES, SOURCE, marked, page
from manual.tables import TABLES
from nstd.cli.app import _COMMANDS
from nstd.documents.config import Config
from nstd.logs.events import EVENTS


@pytest.mark.parametrize(("where", "name"), TABLES)
def test_a_table_says_what_the_code_does(where: str, name: str) -> None:
    """Events, error codes, exit codes and networks."""
    assert marked(page(where))[name] == TABLES[where, name](), "python tests/manual/tables.py"


def test_each_table_stands_in_one_page() -> None:
    """Two copies would be one too many."""
    places = [name for path in PAGES for name in marked(path.read_text())]
    assert len(places) == len(set(places))


def test_the_table_of_commands_has_every_command() -> None:
    """In the order of `nstd --help`; some have two rows."""
    rows = re.findall(r"^\| `nstd (\w+)", page("commands"), re.MULTILINE)
    assert list(dict.fromkeys(rows)) == list(_COMMANDS)


def test_the_table_of_packages_has_every_package() -> None:
    """Of the top of `nstd/`."""
    rows = re.findall(r"^\| `(\w+)`", marked(page("design"))["packages"], re.MULTILINE)
    assert sorted(rows) == sorted(path.parent.name for path in _packages())


def _packages() -> list[Path]:
    return list((SOURCE / "nstd").glob("*/__init__.py"))


def test_settings_that_the_manual_names_exist() -> None:
    """Such as `watch.settle`, in the inline code of every page."""
    sections = "|".join(Config.model_fields)
    wrong = []
    for path in PAGES:
        for section, key in re.findall(rf"`({sections})\.(\w+)[`:]", path.read_text()):
            settings = Config.model_fields[section].get_default()
            if f"{section}.{key}" not in EVENTS and not hasattr(settings, key):
                wrong.append(f"{path.name}: {section}.{key}")
    assert wrong == []
