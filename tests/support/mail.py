"""A mail server and a web server that take what is sent to them, or refuse it."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.smtp import SMTP


class WebServer(ThreadingHTTPServer):
    """Notes what is posted; `answers` has the status of each next request, then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.answers: list[int] = []
        self.words = b"so\x1b."
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.hang = threading.Event()
        self.hang.set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook?a=b"


class _Taker(BaseHTTPRequestHandler):
    server: WebServer

    def do_POST(self) -> None:
        """Take a request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.hang.wait(30)
        status = self.server.answers.pop(0) if self.server.answers else 200
        if status == 200:
            self.server.bodies.append(json.loads(body))
            self.server.headers.append(dict(self.headers.items()))
        self.send_response(status)
        if status // 100 == 3:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(self.server.words)))
        self.end_headers()
        self.wfile.write(self.server.words)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@contextmanager
def web_server() -> Iterator[WebServer]:
    """A web server that runs meanwhile."""
    with WebServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.hang.set()
            server.shutdown()
            thread.join()


@contextmanager
def mail_server(
    handler: Any, context: ssl.SSLContext | None = None, **options: Any
) -> Iterator[int]:
    """A mail server that runs meanwhile, and its port; with a `context` it speaks TLS at once."""
    loop = asyncio.new_event_loop()
    making = loop.create_server(
        lambda: SMTP(handler, loop=loop, hostname="localhost", **options),
        *("127.0.0.1", 0),
        ssl=context,
    )
    server = loop.run_until_complete(making)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_end_all())
        loop.close()


async def _end_all() -> None:
    """End the conversations that are left, and let their connections close."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.05)
