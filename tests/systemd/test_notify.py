"""The unit that sends notices, beside the service that has no network."""

from __future__ import annotations

import json
from typing import Any

from support.playground import wait_for

from systemd.page import block_with
from systemd.service import MARKS, Service

pytestmark = MARKS

TAKER = """
import http.server, json

class Taker(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open("/root/taken", "a") as file:
            line = [self.path, self.headers["Authorization"], body]
            file.write(json.dumps(line) + chr(10))
        self.send_response(200)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", 5001), Taker).serve_forever()
"""
"""A web server in the guest that writes down what is posted."""
PROBE = """#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/5001
"""
CREDENTIALS = """
LoadCredential=webhook:/etc/nstd/webhook
LoadCredential=webhook-token:/etc/nstd/webhook-token
"""


def install(service: Service) -> None:
    """Every command of the page; its editor is given what the page says, and two more secrets."""
    service.guest.write("/root/nstd/smtp-password.txt", "so secret\n")
    service.guest.write("/etc/nstd/webhook", "http://127.0.0.1:5001/secret-address\n", 0o600)
    service.guest.write("/etc/nstd/webhook-token", "a-token\n", 0o600)
    for line in block_with("systemd/nstd-notify.service /etc/systemd/system/"):
        if "systemctl edit" in line:
            said = "\n".join(block_with("LoadCredential=smtp-password", "ini"))
            path = "/etc/systemd/system/nstd-notify.service.d/override.conf"
            service.guest.write(path, said + CREDENTIALS)
        else:
            service.run(line)


def taken(service: Service) -> list[list[Any]]:
    """What was posted: path, `Authorization`, and the JSON."""
    path = service.guest.root / "root/taken"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_a_failure_is_told_by_the_unit_that_has_the_network(service: Service) -> None:
    """With secrets that are credentials; it sees the notices alone, and nstd stays closed."""
    service.guest.write("/root/taker.py", TAKER)
    service.guest.write("/opt/probe.sh", PROBE, 0o755)
    service.run("systemd-run --unit=taker python3 /root/taker.py")
    wait_for(lambda: service.attempt("/opt/probe.sh")[0] == 0, 30, "the web server", 0.5)
    service.configure(notify={"on": ["failure"]}, hooks={"on_failure": ["/opt/probe.sh"]})
    try:
        install(service)
        service.submit("broken", backend="puppet", **{"options.act": "raise"})
        wait_for(lambda: service.events("job.failed", name="broken"), 90)
        posted = wait_for(lambda: taken(service), 60, service.run("journalctl -u nstd-notify"))
        (path, token, notice) = posted[0]
        assert (path, token) == ("/secret-address", "Bearer a-token")
        assert (notice["failures"], notice["root"]) == (1, "/srv/nstd")
        assert "broken" in notice["text"]
        wait_for(lambda: not list(service.folder.glob("work/.notices/*")), 30, "it is removed")
        assert len(taken(service)) == 1
        job = service.events("job.failed", name="broken")[0]["job"]
        wait_for(lambda: service.events("hook.failed", job=job), 60, "nstd has no network")
        process = service.run("systemctl show nstd-notify --value -p MainPID").strip()
        assert service.run(f"cd /proc/{process}/root/srv && find . -type d").split() == [
            *(".", "./nstd", "./nstd/work", "./nstd/work/.notices"),
        ]
        status = service.run(f"cat /proc/{process}/status")
        assert "CapEff:\t0000000000000000\n" in status
        assert service.run(f"stat -c %U /proc/{process}").strip() == "nstd-notify"
        words = service.run("journalctl -u nstd-notify -o cat")
        assert "webhook at 127.0.0.1: sent: " in words
        for secret in ("secret-address", "a-token", "so secret"):
            assert secret not in words
    finally:
        for line in block_with("disable --now nstd-notify"):
            service.run(line, check=False)
        service.run("systemctl daemon-reload; systemctl stop taker; rm -f /root/taken")


def test_without_anybody_to_be_told_the_unit_ends_and_is_not_started_again(
    service: Service,
) -> None:
    """The journal says which key of the config is missing."""
    service.configure()
    service.run("install -m 644 systemd/nstd-notify.service /etc/systemd/system/")
    try:
        service.run("systemctl daemon-reload && systemctl start nstd-notify")
        shown = "systemctl show nstd-notify --value -p "
        wait_for(lambda: service.run(f"{shown} ActiveState").strip() == "failed", 30, pause=0.5)
        assert service.run(f"{shown} ExecMainStatus").strip() == "3"
        assert "notify" in service.run("journalctl -u nstd-notify -o cat -n 5")
    finally:
        for line in block_with("disable --now nstd-notify"):
            service.run(line, check=False)
        service.run("systemctl daemon-reload; systemctl reset-failed nstd-notify", check=False)
