"""Notices are sent to a real mail server and a real web server, in the way that the config says."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from support.mail import WebServer, mail_server, web_server

from nstd.client.notify.channels import EmailChannel, SendError, WebhookChannel, make_channels
from nstd.documents.report_settings import EmailSettings, NotifySettings
from nstd.errors import ConfigError
from nstd.queue.notices import Notice

NOTICE = Notice(
    root="/srv/nstd",
    time=1.7e9,
    failures=12,
    batches=1,
    lines=("failed: plage à côté: no such picture [picture_missing]",),
)


class Mailbox:
    """Takes messages; refuses recipients called `nobody`, and all with `is_full`."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.is_full = False

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, _: Any) -> str:  # noqa: N802 - the library's name
        """A recipient."""
        if to.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        """A message."""
        if self.is_full:
            return "452 no space"
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.recipients.append(envelope.rcpt_tos)
        return "250 OK"


@pytest.fixture
def mailbox() -> Mailbox:
    """What the mail server has taken."""
    return Mailbox()


@pytest.fixture
def server(mailbox: Mailbox) -> Iterator[int]:
    """The port of a mail server without encryption."""
    with mail_server(mailbox) as port:
        yield port


def email(port: int, **said: Any) -> EmailChannel:
    """A channel to the mail server of the test."""
    given = {"to": ["ops@example.org"], "host": "127.0.0.1", "port": port, **said}
    return EmailChannel(EmailSettings(**given), "s3cret", timeout=5.0)


def test_an_email_has_what_happened_and_says_that_a_program_sent_it(
    server: int, mailbox: Mailbox
) -> None:
    """To all, once, with subject, date and id."""
    email(server, to=["ops@example.org", "b@example.org"], sender="nstd@example.org").send(NOTICE)
    (message,) = mailbox.messages
    assert mailbox.recipients == [["ops@example.org", "b@example.org"]]
    assert message["Subject"] == "nstd /srv/nstd: 12 jobs have failed, 1 batch is done"
    assert (message["From"], message["To"]) == (
        "nstd@example.org",
        "ops@example.org, b@example.org",
    )
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Date"]
    assert message["Message-ID"]
    lines = message.get_content().splitlines()
    assert lines[1:] == [*NOTICE.lines, "... and 12 more"]


@pytest.mark.parametrize("text", ["x\nBcc: all@example.org", "x\r\n.\r\nQUIT", "\x1b[2J"])
def test_a_name_cannot_add_to_the_head_of_an_email(
    server: int, mailbox: Mailbox, text: str
) -> None:
    """Nor end it."""
    notice = Notice(root=text, time=0.0, failures=1, lines=(f"failed: {text}",))
    try:
        email(server).send(notice)
    except SendError:
        assert mailbox.messages == []
        return
    (message,) = mailbox.messages
    assert mailbox.recipients == [["ops@example.org"]]
    assert "Bcc" not in message


def test_what_the_mail_server_refuses_is_an_error_with_its_words(
    server: int, mailbox: Mailbox
) -> None:
    """All recipients, one of them, and a server that is full."""
    with pytest.raises(SendError, match="no such user"):
        email(server, to=["nobody@example.org"]).send(NOTICE)
    with pytest.raises(SendError, match="refused: nobody@example"):
        email(server, to=["ops@example.org", "nobody@example.org"]).send(NOTICE)
    mailbox.is_full = True
    with pytest.raises(SendError, match="no space"):
        email(server).send(NOTICE)


def test_a_mail_server_that_is_not_there_or_is_no_mail_server_is_an_error() -> None:
    """Refused at once; one that never answers after the time-out."""
    with pytest.raises(SendError, match="refused"):
        email(1).send(NOTICE)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = EmailSettings(to=["a@b"], host="127.0.0.1", port=silent.getsockname()[1])
        with pytest.raises(SendError, match="timed out"):
            EmailChannel(settings, "", timeout=0.3).send(NOTICE)


def test_a_server_without_encryption_gets_nothing_where_it_is_wanted(
    server: int, mailbox: Mailbox
) -> None:
    """Neither the notice nor the password."""
    for security in ("starttls", "tls"):
        with pytest.raises(SendError):
            email(server, security=security, user="nstd").send(NOTICE)
    assert mailbox.messages == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of localhost, with its key."""
    path = tmp_path_factory.mktemp("tls") / "pem"
    command = "req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2"
    command += f" -addext subjectAltName=DNS:localhost -keyout {path} -out {path}.crt"
    done = subprocess.run(["openssl", *command.split()], capture_output=True)
    assert done.returncode == 0, done.stderr
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_password_goes_to_a_server_that_shows_its_certificate(
    mailbox: Mailbox, certificate: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    """And to no other: a certificate that nobody trusts is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    seen: list[tuple[str, bytes, bytes]] = []

    def authenticate(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
        seen.append((mechanism, data.login, data.password))
        return AuthResult(success=True)

    options: dict[str, Any] = {"authenticator": authenticate, "auth_require_tls": False}
    with mail_server(
        mailbox,
        context if security == "tls" else None,
        tls_context=context if security == "starttls" else None,
        **options,
    ) as port:
        channel = email(port, host="localhost", security=security, user="nstd")
        with pytest.raises(SendError, match="certificate"):
            channel.send(NOTICE)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        channel.send(NOTICE)
    assert [(login, password) for _, login, password in seen] == [(b"nstd", b"s3cret")]
    assert len(mailbox.messages) == 1


# Webhooks


@pytest.fixture
def web() -> Iterator[WebServer]:
    """A web server."""
    with web_server() as server:
        yield server


def webhook(web: WebServer, token: str = "", timeout: float = 5.0) -> WebhookChannel:
    """A channel to the web server of the test."""
    return WebhookChannel(web.url, token, timeout)


def test_a_webhook_gets_json_whose_text_is_all_that_a_person_needs(web: WebServer) -> None:
    """And fields for programs; with a token, as most services want it."""
    webhook(web, token="s3cret").send(NOTICE)
    (body,), (headers,) = web.bodies, web.headers
    assert body == {
        "text": NOTICE.text,
        "title": "nstd /srv/nstd: 12 jobs have failed, 1 batch is done",
        "root": "/srv/nstd",
        "since": 1.7e9,
        "failures": 12,
        "batches": 1,
        "idle": False,
        "lines": list(NOTICE.lines),
    }
    assert headers["Content-Type"] == "application/json"
    assert headers["Authorization"] == "Bearer s3cret"
    webhook(web).send(NOTICE)
    assert "Authorization" not in web.headers[1]


@pytest.mark.parametrize("status", [302, 400, 403, 404, 429, 500, 503])
def test_a_webhook_that_refuses_is_an_error_with_its_words(web: WebServer, status: int) -> None:
    """A redirect, too: it would lose the body."""
    web.answers = [status]
    with pytest.raises(SendError, match=rf"{status} .*: so") as caught:
        webhook(web).send(NOTICE)
    assert "hook" not in str(caught.value)
    assert web.bodies == []


@pytest.mark.parametrize(
    ("status", "advice"),
    [(400, "webhook"), (401, "token"), (404, "address"), (429, "later"), (502, "its log")],
)
def test_an_answer_without_words_is_a_whole_sentence_with_advice(
    web: WebServer, status: int, advice: str
) -> None:
    """It ends with no colon."""
    web.answers, web.words = [status], b""
    with pytest.raises(SendError, match=rf"the server answered {status} [\w ]+$") as caught:
        webhook(web).send(NOTICE)
    assert advice in caught.value.hint


def test_a_webhook_that_does_not_answer_is_an_error_after_the_time_out(web: WebServer) -> None:
    """And one that is not there at once."""
    web.hang.clear()
    with pytest.raises(SendError, match="timed out"):
        webhook(web, timeout=0.3).send(NOTICE)
    gone = WebhookChannel("http://127.0.0.1:1/secret", "", 5.0)
    with pytest.raises(SendError, match="refused") as caught:
        gone.send(NOTICE)
    assert "secret" not in str(caught.value) + gone.name


# What is configured


def test_secrets_are_credentials_of_systemd_or_variables(web: WebServer, tmp_path: Path) -> None:
    """The credential comes first; neither stands in the config."""
    (tmp_path / "webhook").write_text(f"{web.url}\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "NSTD_WEBHOOK_TOKEN": "s3cret"}
    (channel,) = make_channels(NotifySettings(webhook="http://127.0.0.1:1"), environ)
    channel.send(NOTICE)
    assert web.headers[0]["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("settings", "environ", "words"),
    [
        ({}, {}, "notify names nobody to be told"),
        ({"email": {"to": ["a@b"], "user": "me"}}, {}, "the user 'me', and there is no password"),
        ({}, {"NSTD_WEBHOOK": "ftp://x"}, "the webhook: expected an address like https://"),
        ({}, {"CREDENTIALS_DIRECTORY": "/proc/self/mem"}, "cannot be read"),
    ],
)
def test_notices_for_nobody_and_wrong_secrets_are_errors_of_the_config(
    settings: dict[str, Any], environ: dict[str, str], words: str
) -> None:
    """With what is missing."""
    with pytest.raises(ConfigError) as caught:
        make_channels(NotifySettings(**settings), environ)
    assert words in caught.value.message
