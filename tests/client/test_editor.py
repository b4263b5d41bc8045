"""What editors are given: schemas, and the line by which they find them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from manual.documents import page
from PIL import Image
from support.playground import Playground

from nstd.client.editor import SIDECAR_LINE, keep_sidecar_schema
from nstd.documents.config import Config


def schema_of(path: Path) -> dict[str, Any]:
    """The schema that the first line of a file names, as an editor resolves it."""
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", path.read_text().split("\n")[0])
    assert named is not None
    schema: dict[str, Any] = json.loads((path.parent / named[1]).read_text())
    return schema


def test_init_gives_the_config_its_schema(playground: Playground) -> None:
    """With every section and setting, their meaning and their limits."""
    playground.command("init", "new")
    schema = schema_of(playground.folder / "new" / "config.yaml")
    assert set(schema["properties"]) == set(Config.model_fields)
    hooks = schema["$defs"]["HooksSettings"]["properties"]
    assert hooks["at_once"]["minimum"] == 1
    assert "killed" in hooks["timeout"]["description"]
    assert (playground.folder / "new" / "inbox" / ".sidecar.schema.json").is_file()


def test_submit_gives_the_sidecar_its_schema(playground: Playground) -> None:
    """With the options of the backends as they are now; the job is none the worse for it."""
    for name in ("beach.png", "starry.png"):
        Image.new("RGB", (16, 12), "teal").save(playground.folder / name)
    assert playground.command("submit", "beach.png", "starry.png").returncode == 0
    sidecar = playground.inbox / "beach-in-starry.yaml"
    schema = schema_of(sidecar)
    assert set(yaml.safe_load(sidecar.read_text())) <= set(schema["properties"])
    assert "puppet" in schema["properties"]["backend"]["examples"]
    assert SIDECAR_LINE.strip() in page("sidecar")
    assert playground.command("check", str(sidecar)).returncode == 0
    assert playground.once().returncode == 0
    assert len(playground.events("job.finished")) == 1


def test_a_schema_is_renewed_when_it_is_no_longer_right(playground: Playground) -> None:
    """And left alone while it is; a link that somebody has put there is not written through."""
    keep_sidecar_schema(playground.config)
    path = playground.inbox / ".sidecar.schema.json"
    before = path.stat().st_ino
    keep_sidecar_schema(playground.config)
    assert path.stat().st_ino == before
    elsewhere = playground.folder / "mine.txt"
    elsewhere.write_text("mine")
    path.unlink()
    path.symlink_to(elsewhere)
    keep_sidecar_schema(playground.config)
    assert elsewhere.read_text() == "mine"
    assert json.loads(path.read_text())["title"] == "nstd sidecar"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_who_may_not_write_goes_without(playground: Playground) -> None:
    """Without an error."""
    playground.inbox.chmod(0o500)
    keep_sidecar_schema(playground.config)
    playground.inbox.chmod(0o700)
