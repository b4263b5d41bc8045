"""The ways on which a notice goes: by email, and as JSON to a webhook."""

from __future__ import annotations

import http.client
import json
import os
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any, Protocol
from urllib.parse import urlsplit

from nstd import __version__
from nstd.client.notify.secrets import SMTP_PASSWORD, WEBHOOK, WEBHOOK_TOKEN, find_secret
from nstd.documents.report_settings import EmailSettings, NotifySettings, check_url
from nstd.errors import ConfigError, clean
from nstd.queue.notices import Notice

_REFUSED = "it wants another token: see notices in `nstd help service`"
_WRONG_ADDRESS = "the address of the webhook is wrong: make a new one where it was made"
_ADVICE = {
    401: _REFUSED,
    403: _REFUSED,
    404: _WRONG_ADDRESS,
    410: _WRONG_ADDRESS,
    429: "it takes no more for now: try later",
}
_MOST_BYTES = 500
"""The most bytes of an answer that are repeated in an error."""


class SendError(Exception):
    """A notice could not be sent now; the text says why, without secrets, and `hint` what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NoticeChannel(Protocol):
    """A way on which a notice goes."""

    name: str

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises SendError."""


class EmailChannel:
    """Sends by SMTP; each notice is one message to all recipients."""

    def __init__(self, settings: EmailSettings, password: str, timeout: float) -> None:
        self.name = f"email by {settings.host}"
        self._settings, self._password, self._timeout = settings, password, timeout

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises SendError, also when one of several recipients is refused."""
        try:
            with self._connect() as server:
                if self._settings.user is not None:
                    server.login(self._settings.user, self._password)
                refused = server.send_message(self._message(notice))
        except (OSError, smtplib.SMTPException, ValueError) as error:
            raise SendError(clean(error)) from None
        if refused:
            raise SendError(f"refused: {', '.join(sorted(refused))}")

    def _connect(self) -> smtplib.SMTP:
        place = self._settings.host, self._settings.port
        context = ssl.create_default_context()
        if self._settings.security == "tls":
            return smtplib.SMTP_SSL(*place, timeout=self._timeout, context=context)
        server = smtplib.SMTP(*place, timeout=self._timeout)
        try:
            if self._settings.security == "starttls":
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = notice.title
        message["From"] = self._settings.sender or self._settings.to[0]
        message["To"] = ", ".join(self._settings.to)
        message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid("nstd")
        message["Auto-Submitted"] = "auto-generated"  # so that no absence note answers it
        message.set_content(f"{notice.text}\n")
        return message


class WebhookChannel:
    """Posts JSON, whose `text` Slack and those like it show."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        self.name = f"webhook at {urlsplit(url).hostname}"
        self._url, self._token, self._timeout = url, token, timeout
        self._opener = urllib.request.build_opener(_NoRedirects())

    def send(self, notice: Notice) -> None:
        """Send a notice. Raises SendError unless the answer is a success."""
        headers = {"Content-Type": "application/json", "User-Agent": f"nstd/{__version__}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(_fields(notice)).encode()
        request = urllib.request.Request(self._url, data, headers, method="POST")  # noqa: S310 - checked
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                answer.read(_MOST_BYTES)
        except urllib.error.HTTPError as error:
            with error:
                said = clean(error.read(_MOST_BYTES).decode(errors="replace")).strip()
            answer = f"the server answered {error.code} {error.reason}"
            raise SendError(f"{answer}: {said}" if said else answer, _advice(error.code)) from None
        except urllib.error.URLError as error:
            raise SendError(clean(error.reason)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise SendError(f"{type(error).__name__}: {clean(error)}") from None


def _advice(code: int) -> str:
    """What to do about an answer of HTTP that is no success."""
    if code in _ADVICE:
        return _ADVICE[code]
    if code >= 500:
        return "the server was reached and has an error of its own: look at its log, or try later"
    return "look at what its manual says of a webhook"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would become a GET without its body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _fields(notice: Notice) -> dict[str, Any]:
    """The body: `text` is the whole message, the others are for programs."""
    return {
        "text": notice.text,
        "title": notice.title,
        "root": notice.root,
        "since": round(notice.time, 3),
        "failures": notice.failures,
        "batches": notice.batches,
        "idle": notice.is_idle,
        "lines": list(notice.lines),
    }


def make_channels(
    settings: NotifySettings, environ: Mapping[str, str] = os.environ
) -> list[NoticeChannel]:
    """The channels that config and secrets name. Raises ConfigError when there is none."""
    channels: list[NoticeChannel] = []
    if settings.email is not None:
        password = find_secret(SMTP_PASSWORD, environ)
        if settings.email.user is not None and not password:
            raise ConfigError(
                "config_invalid",
                f"notify.email has the user {settings.email.user!r}, and there is no password",
                "give it as the credential smtp-password, or in NSTD_SMTP_PASSWORD",
            )
        channels.append(EmailChannel(settings.email, password, settings.timeout))
    if url := find_secret(WEBHOOK, environ) or settings.webhook:
        token = find_secret(WEBHOOK_TOKEN, environ)
        channels.append(WebhookChannel(_checked(url), token, settings.timeout))
    if not channels:
        raise ConfigError(
            "config_invalid",
            "notify names nobody to be told: neither email nor webhook",
            "see `nstd help service`, notices",
        )
    return channels


def _checked(url: str) -> str:
    try:
        return check_url(url)
    except ValueError as error:
        raise ConfigError("config_invalid", f"the webhook: {error}", "correct it") from None
