"""`nstd init`: a root."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from support import CHECKOUT
from support.playground import Playground

from nstd.client.init import make_root


def test_init_makes_the_folders_and_the_commented_config(playground: Playground) -> None:
    """The config is config.example.yaml to the letter, and a daemon can run on it."""
    done = playground.command("init", "new/root")
    root = playground.folder / "new" / "root"
    assert done.returncode == 0, done.stderr
    assert {path.name for path in root.iterdir()} == {
        *("config.yaml", "inbox", "styles", "work", "outbox", "networks"),
        ".config.schema.json",
    }
    example = CHECKOUT / "config.example.yaml"
    assert (root / "config.yaml").read_text() == example.read_text()
    assert f"nstd run -c {Path('new/root/config.yaml')}" in done.stdout
    assert playground.command("run", "--once", "-c", "new/root").returncode == 0


def test_only_its_owner_may_change_the_config_that_init_makes(tmp_path: Path) -> None:
    """Hooks are in it. Debian 13's `sudo` makes new files such that their group may change them."""
    before = os.umask(0o002)
    try:
        make_root(tmp_path)
    finally:
        os.umask(before)
    assert (tmp_path / "config.yaml").stat().st_mode & 0o777 == 0o644


def test_init_never_overwrites(tmp_path: Path) -> None:
    """A second time it keeps the config, and makes only the folders that this one names."""
    assert make_root(tmp_path)
    (tmp_path / "config.yaml").write_text("folders: {inbox: drop}\n")
    (tmp_path / "inbox" / "beach.jpg").write_bytes(b"picture")
    shutil.rmtree(tmp_path / "work")
    assert not make_root(tmp_path)
    assert (tmp_path / "config.yaml").read_text() == "folders: {inbox: drop}\n"
    assert (tmp_path / "inbox" / "beach.jpg").read_bytes() == b"picture"
    assert (tmp_path / "drop").is_dir()
    assert (tmp_path / "work").is_dir()


def test_init_in_a_place_that_cannot_be_used(playground: Playground) -> None:
    """The folder and the reason, and no traceback."""
    (playground.folder / "file").write_text("")
    done = playground.command("init", "file/root")
    assert done.returncode == 3
    assert done.stderr.startswith("nstd: file/root: Not a directory [config_invalid]")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_init_without_the_right_to_write(playground: Playground, tmp_path: Path) -> None:
    """The same for a folder of somebody else."""
    (tmp_path / "closed").mkdir(mode=0o500)
    assert playground.command("init", "closed/root").returncode == 3
