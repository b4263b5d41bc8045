"""nstd installed in a guest by the commands of its page, and what people do with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.playground import matching, wait_for
from support.plugins import install
from support.puppet import PUPPET

from systemd.guest import PYTHON, SOURCE, Guest
from systemd.image import image, missing
from systemd.page import block_with

MARKS = [
    pytest.mark.systemd,
    pytest.mark.skipif(bool(missing()), reason=missing() or "nothing is missing"),
    pytest.mark.xdist_group("systemd"),  # guests are shared, and take some seconds each
    pytest.mark.timeout(900),  # the first one makes the image
]

INSTALL = "systemd-sysusers &&"
"""What only the block of the page that installs the service has."""
NSTD = "/opt/nstd/bin/nstd"
DROP_INS = "/etc/systemd/system/nstd.service.d"
SETTINGS: dict[str, Any] = {
    "watch": {"settle": "300ms", "rescan": "1s"},
    "jobs": {"checkpoint": "1s", "backoff": "1s"},
}
"""Settings with which a test does not wait long."""
HURRY = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=1\nWatchdogSec=10\nNice=0\n"
"""The same for the unit, where it would be a minute."""
LONG: dict[str, Any] = {"backend": "puppet", "options.pause": 0.1, "options.steps": 100_000}
"""What alice asks for to have a job that runs until it is cancelled, or let go on; a tenth of a
second a step."""
SHORT: dict[str, Any] = {"backend": "puppet"}
PICTURE: dict[str, Any] = {"output.size": 48, "options.preset": "draft"}
"""The same by the real engine."""


class Service:
    """The service in a guest, and alice, who is in its group."""

    def __init__(self, version: int, *, memory: bool = False) -> None:
        self.guest = Guest(image(version), memory=memory)
        self.run, self.attempt = self.guest.run, self.guest.attempt
        self.log: list[tuple[str, str]] = []
        """Each command of the page that installs, and what it printed."""

    @property
    def folder(self) -> Path:
        """/srv/nstd of the guest."""
        return self.guest.root / "srv/nstd"

    @classmethod
    def installed(cls, version: int, *, memory: bool = False) -> Service:
        """In a guest of its own, by every command of the page."""
        service = cls(version, memory=memory)
        try:
            service.install()
        except BaseException:
            service.guest.close()
            raise
        return service

    @property
    def site(self) -> Path:
        """Where pip installs packages for it."""
        return self.guest.root / "opt/nstd/lib" / PYTHON / "site-packages"

    def install(self) -> None:
        """Every command of the page, in order; then a backend for tests, and pictures for alice."""
        for line in block_with(INSTALL) + block_with("usermod -aG nstd alice"):
            self.log.append((line, self.run(line)))
        for sample, name in (("harbour", "beach"), ("swirls", "starry")):
            found = f"$(find {SOURCE} -name {sample}.jpg)"
            self.run(f"install -m 644 -o alice {found} /home/alice/{name}.jpg")

        install(self.site, "puppet", PUPPET, attribute="Puppet")

    def reset(self, hurry: bool) -> None:
        """As if just installed, whatever a test did: it runs, with settings that hurry."""
        self.run("systemctl reset-failed nstd", check=False)
        changed = [self.drop_in("hurry", HURRY if hurry else ""), self.configure()]
        if any(changed) or not self.is_up():
            self.run("systemctl restart nstd")
        for job in self.waiting():
            self.run(f"sudo -u nstd {NSTD} cancel {job} -c /srv/nstd")
        wait_for(lambda: not self.waiting(), 60, "no job of an earlier test")

    def configure(self, **settings: Any) -> bool:
        """Write the config: the settings of the tests, and these. Returns whether it changed."""
        return self._written("/srv/nstd/config.yaml", yaml.safe_dump(SETTINGS | settings))

    def drop_in(self, name: str, text: str) -> bool:
        """Install a drop-in for the unit, or remove it where there is no text, as `configure`."""
        changed = self._written(f"{DROP_INS}/{name}.conf", text)
        if changed:
            self.run("systemctl daemon-reload")
        return changed

    def _written(self, path: str, text: str) -> bool:
        file = self.guest.root / path.lstrip("/")
        if (file.read_text() if file.exists() else "") == text:
            return False
        if text:
            self.guest.write(path, text)
        else:
            file.unlink()
        return True

    def show(self, what: str) -> str:
        """A property of the unit, as systemd shows it."""
        return self.run(f"systemctl show nstd --value -p {what}").strip()

    def is_up(self) -> bool:
        """Whether it runs, and has said that it is ready."""
        return self.show("ActiveState") == "active"

    def events(self, event: str = "", **fields: Any) -> list[dict[str, Any]]:
        """The lines of its log that match, rotated ones too, oldest first."""
        files = sorted(self.folder.glob("outbox/logs/nstd.jsonl*"), reverse=True)
        lines = [json.loads(text) for path in files for text in path.read_text().splitlines()]
        return matching(lines, event, **fields)

    def waiting(self) -> list[str]:
        """The ids of the jobs that wait or run."""
        return [path.name for path in self.folder.glob("work/[!.]*") if path.is_dir()]

    def submit(self, name: str, **options: Any) -> None:
        """Hand in a pair as alice."""
        wishes = " ".join(f"-o {key}={value}" for key, value in options.items())
        self.run(
            f"{NSTD} submit -c /srv/nstd beach.jpg starry.jpg --name {name} {wishes}", user="alice"
        )

    def finished(self, name: str, seconds: float = 240) -> dict[str, Any]:
        """The line that ends the job of this name, as soon as it is there; not of a failure."""
        ends = wait_for(
            lambda: self.events("job.finished", name=name) + self.events("job.failed", name=name),
            seconds,
            f"an end of {name}",
        )
        assert [end["event"] for end in ends] == ["job.finished"], ends
        return ends[0]

    def in_the_middle(self, name: str) -> None:
        """Hand in a pair whose job does not end by itself, and wait for a checkpoint of it."""
        self.submit(name, **LONG, **{"options.until": f"/srv/nstd/let-{name}"})
        job = wait_for(lambda: self.events("job.started", name=name), 60, "its start")[0]["job"]
        wait_for((self.folder / "work" / job / "checkpoint").exists, 90, "its first checkpoint")

    def let_end(self, name: str) -> dict[str, Any]:
        """Let a job end that was kept in the middle: the line that ends it."""
        (self.folder / f"let-{name}").touch()
        return self.finished(name)

    def is_up_again(self, before: int) -> bool:
        """Whether the daemon has been started since there were so many starts in its log."""
        return len(self.events("daemon.started")) > before and self.is_up()

    def cancel(self, name: str) -> None:
        """End a job as the service's user, and wait for its end."""
        self.run(f"sudo -u nstd {NSTD} cancel {name} -c /srv/nstd")
        wait_for(lambda: self.events("job.failed", name=name), 60, f"the end of {name}")
