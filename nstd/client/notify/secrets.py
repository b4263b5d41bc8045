"""Passwords and addresses that must not stand in the config, which others may read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nstd.errors import ConfigError, printable

WEBHOOK, WEBHOOK_TOKEN, SMTP_PASSWORD = "webhook", "webhook-token", "smtp-password"
"""The names of the files; the variables are called NSTD_WEBHOOK, NSTD_WEBHOOK_TOKEN ..."""
FOLDER = "CREDENTIALS_DIRECTORY"


def find_secret(name: str, environ: Mapping[str, str] = os.environ) -> str:
    """The secret `name`: a file in $CREDENTIALS_DIRECTORY, which systemd sets, else a variable.

    An empty string if there is neither. Raises ConfigError when the file cannot be read.
    """
    if folder := environ.get(FOLDER):
        path = Path(folder, name)
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise ConfigError(
                "config_invalid",
                f"{printable(path)} cannot be read: {error}",
                "it has to be one line of text, which the user of `nstd notify` may read",
            ) from None
    return environ.get(f"NSTD_{name.upper().replace('-', '_')}", "").strip()
