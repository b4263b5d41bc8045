"""Makes a new root: its folders and a commented config."""

from __future__ import annotations

from pathlib import Path

from nstd.documents.config import load_config
from nstd.documents.template import config_template
from nstd.errors import ConfigError
from nstd.system.layout import CONFIG


def make_root(root: Path) -> bool:
    """Make the missing folders and files below `root`; whether the config was missing.

    Raises ConfigError when the folder cannot be made.
    """
    path = root / CONFIG
    try:
        root.mkdir(parents=True, exist_ok=True)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(config_template())
            is_new = True
        except FileExistsError:
            is_new = False
        config = load_config(path.resolve())
        for name in type(config.folders).model_fields:
            config.folder(name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            "config_invalid", f"{root}: {error.strerror}", "choose a folder you can write to"
        ) from None
    return is_new
