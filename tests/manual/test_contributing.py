"""CONTRIBUTING leads to places that exist."""

from __future__ import annotations

import importlib.util
import re

from manual.documents import CONTRIBUTING, SOURCE, blocks, sections

PLACE = re.compile(r"`((?:nstd|tests)/[\w/.]+\.\w+)`(?:, `(\w+)`)?")


def test_each_place_of_how_to_add_something_exists() -> None:
    """Each file, and in it the name that stands behind it."""
    (start,) = (
        n for n, (title, _) in enumerate(sections(CONTRIBUTING)) if title == "How to add ..."
    )
    added = sections(CONTRIBUTING)[start + 1 :]
    assert {title.split()[-1] for title, _ in added} >= {"loss", "network", "command", "event"}
    for title, text in added:
        places = PLACE.findall(text)
        assert len(places) >= 4, title
        for file, name in places:
            assert (SOURCE / file).is_file(), file
            assert name in (SOURCE / file).read_text(), (file, name)


def test_what_it_runs_exists() -> None:
    """Each module that is run by its name, and each file."""
    text = "".join(block.text for block in blocks(CONTRIBUTING, "sh"))
    modules = re.findall(r"python -m (tests[\w.]*)", text)
    assert len(modules) >= 5
    for name in modules:
        found = importlib.util.find_spec(name)
        assert found is not None, name
    for file in re.findall(r"(?<= )tests/\S+\.py", text):
        assert (SOURCE / file).is_file(), file
