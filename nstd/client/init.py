"""Makes a new root: its folders and a commented config."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from nstd.documents.config import load_config
from nstd.documents.template import config_template
from nstd.errors import ConfigError
from nstd.intake.names import RECIPES
from nstd.system.durable import Files
from nstd.system.layout import CONFIG, INNER

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


_EXAMPLE = """\
# A recipe: every picture that comes into this folder, or below it, is painted so. It is a sidecar
# without a content. Take the # from the lines that you want, and name a style that is there.
# `nstd help folders` explains every key, `nstd check inbox/example` what would be done.

# style: starry.jpg                 # a picture in this folder, or a name in the folder styles/
# output: {size: 1024}
# options: {strength: 0.6}
# match: "*.jpg"                    # only such pictures
# pictures: keep                    # or: archive, delete
"""


def make_example(root: Path) -> None:
    """Make the folder `example` in the inbox of `root`, with a recipe that is commented out.

    Raises ConfigError when it cannot be made.
    """
    folder = load_config((root / CONFIG).resolve()).folder("inbox") / "example"
    try:
        files = Files()
        files.make_folder(folder)
        files.write_new(folder / RECIPES[0], iter([_EXAMPLE.encode()]))
    except FileExistsError:
        pass
    except OSError as error:
        hint = "choose a folder you can write to"
        raise ConfigError("config_invalid", f"{folder}: {error.strerror}", hint) from None


def make_root(root: Path) -> bool:
    """Make the missing folders and files below `root`; whether the config was missing.

    Raises ConfigError when the folder cannot be made.
    """
    path = root / CONFIG
    try:
        files = Files()
        files.make_folder(root.absolute())
        try:
            files.write_new(path, iter([config_template().encode()]))
            # whoever may change it may have any command run, as a hook; sudo may set umask 002
            path.chmod(path.stat().st_mode & ~_OTHERS_WRITE)
            is_new = True
        except FileExistsError:
            is_new = False
        config = load_config(path.resolve())
        for name in type(config.folders).model_fields:
            for inner in ("", *INNER.get(name, ())):
                files.make_folder(config.folder(name) / inner)
    except OSError as error:
        is_file = isinstance(error, FileExistsError)
        what = os.strerror(errno.ENOTDIR) if is_file else error.strerror
        raise ConfigError(
            "config_invalid", f"{root}: {what}", "choose a folder you can write to"
        ) from None
    return is_new
