"""The sections of the config for what reports on jobs: hooks, notices, gallery, metrics, log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from nstd.documents.model import Model
from nstd.system.units import Bytes, Seconds


def _argument(text: str) -> str:
    if "\0" in text:
        raise ValueError("expected text without NUL")
    return text


def _command(arguments: list[str]) -> list[str]:
    if arguments and not arguments[0]:
        raise ValueError("expected the name of a program first")
    return arguments


def _prom(path: Path) -> Path:
    if path.suffix != ".prom":
        raise ValueError("expected a name that ends in .prom: node_exporter reads no other")
    return path


Command = Annotated[list[Annotated[str, AfterValidator(_argument)]], AfterValidator(_command)]


class HooksSettings(Model):
    """Commands that are run when a job has ended, as lists like [/opt/tell.sh, --quiet]; there is
    no shell. NSTD_JOB, NSTD_NAME, NSTD_CODE (of a failure) and NSTD_RECORD (the path of the record
    or reason) are in their environment."""

    on_success: Command = Field([], description="Run when a picture is in the outbox.")
    on_failure: Command = Field([], description="Run when a job has failed or was cancelled.")
    timeout: Seconds = Field(
        30.0,
        gt=0,
        description="A command that takes longer is killed, with everything that it started.",
    )
    at_once: int = Field(2, ge=1, le=64, description="This many run at the same time; others wait.")


def check_url(text: str) -> str:
    """The address `text` of a webhook. Raises ValueError."""
    if not re.fullmatch(r"https?://[^/\s?#@]+(?:[/?][!-~]*)?", text):
        raise ValueError("expected an address like https://hooks.example.org/x, without spaces")
    return text


def _address(text: str) -> str:
    if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", text):
        raise ValueError("expected an address like ops@example.org")
    return text


Address = Annotated[str, AfterValidator(_address)]


class EmailSettings(Model):
    """How notices are sent as email."""

    to: list[Address] = Field(min_length=1, description="Who is told.")
    sender: Address | None = Field(None, description="The sender; null: the first of `to`.")
    host: str = Field("localhost", min_length=1, description="The mail server.")
    port: int = Field(25, ge=1, le=65535, description="Its port: mostly 25, 587 or 465.")
    security: Literal["none", "starttls", "tls"] = Field(
        "none", description="none: in the clear, for a server on this machine; starttls; tls."
    )
    user: str | None = Field(None, description="For a server that wants a password, too.")


class NotifySettings(Model):
    """Notices for people who are elsewhere. The daemon writes them, and `nstd notify` sends them,
    which nstd-notify.service runs: see `nstd help service`."""

    on: list[Literal["failure", "batch", "idle"]] = Field(
        [],
        description="What is told: failure, of a job; batch, that one is done; idle, that nothing "
        "is left to do. At most once a minute, summed up; [] is nothing.",
    )
    email: EmailSettings | None = Field(
        None,
        description="Like {to: [ops@example.org], sender: nstd@example.org, host: "
        "mail.example.org, port: 587, security: starttls, user: nstd}; the password is the "
        "credential smtp-password.",
    )
    webhook: Annotated[str, AfterValidator(check_url)] | None = Field(
        None,
        description="An address to which JSON is posted, as Slack and ntfy take it; if it is "
        "secret, it is the credential webhook instead.",
    )
    timeout: Seconds = Field(20.0, gt=0, description="The longest one try of sending may take.")


class GallerySettings(Model):
    """outbox/index.html: a page of all results, to be opened in a browser or served as it is."""

    enabled: bool = Field(True, description="Whether the page is made, and small pictures for it.")
    title: str | None = Field(
        None, description="The heading of the page; null: the name of the root."
    )
    every: Seconds = Field(
        2.0, gt=0, description="The page is brought up to date at most this often."
    )


class MetricsSettings(Model):
    """A file in Prometheus' text format, for node_exporter's textfile collector; needs the package
    prometheus-client: pip install 'nstd[metrics]'."""

    file: Annotated[Path, AfterValidator(_prom)] | None = Field(
        None, description="The path of the file, like metrics/nstd.prom; null: none is written."
    )
    every: Seconds = Field(15.0, ge=1, description="How often.")


class LogSettings(Model):
    """The structured log, in outbox/logs and on standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The lowest level that is logged: debug, info, warning or error."
    )
    size: Bytes = Field(
        20 * 2**20, gt=0, description="The file nstd.jsonl is rotated at this size."
    )
    keep: int = Field(10, ge=1, description="How many rotated files are kept.")
    console: Literal["auto", "text", "json", "none"] = Field(
        "auto",
        description="Standard error: text, json or none; auto is bars on a terminal, else json.",
    )
