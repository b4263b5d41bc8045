"""A root to play with: drop pairs, run the real daemon, wait for what should happen."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import yaml
from PIL import Image

from nstd.client.init import make_root
from nstd.documents.config import Config, load_config
from support import CHECKOUT, TESTS
from support.commands import HERE, run_here
from support.plugins import install
from support.preloaded import PRELOADED
from support.puppet import PUPPET

T = TypeVar("T")

HURRIED = TESTS / "support" / "hurried.py"

FAST: dict[str, Any] = {
    "watch": {"settle": "200ms", "rescan": "500ms", "poll": "200ms"},
    "devices": ["cpu"],
    "jobs": {"backend": "puppet", "backoff": "100ms", "checkpoint": "200ms"},
    "limits": {"min_free": "1MiB"},
    "workers": {"grace": "2s", "cooldown": "500ms"},
    "log": {"console": "json"},
}
"""Settings with which a test does not wait long."""

SHORT = dict.fromkeys(("after_error", "claim", "disk", "full", "full_job", "publish"), 0.5)
"""Waits after an error of a disk, in seconds, which are 1 to 10 otherwise."""


def wait_for(
    condition: Callable[[], T], seconds: float = 200.0, what: str = "", pause: float = 0.02
) -> T:
    """The first true value of `condition`; AssertionError when none came in time.

    `pause` is the time in seconds between two looks; a look that starts processes needs a longer
    one, to leave the processor to what is waited for.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(pause)
    raise AssertionError(f"not within {seconds} s: {what or condition}")


def everything_from(terminal: int) -> bytes:
    """All that is written to a terminal until nobody holds its other end; closes this end."""
    seen = b""
    with suppress(OSError):  # how a terminal says that the other end is gone
        while chunk := os.read(terminal, 4096):
            seen += chunk
    os.close(terminal)
    return seen


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`, section by section."""
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def matching(lines: list[dict[str, Any]], event: str, **fields: Any) -> list[dict[str, Any]]:
    """The log lines of an event, or of any for "", that have these fields."""
    wanted = {"event": event, **fields} if event else fields
    return [line for line in lines if all(line.get(key) == v for key, v in wanted.items())]


class Playground:
    """A root in a temporary folder, with the puppet backend installed beside it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.root, self.site = folder, folder / "root", folder / "site"
        self.inbox, self.work = self.root / "inbox", self.root / "work"
        self.outbox, self.styles = self.root / "outbox", self.root / "styles"
        self.site.mkdir()
        install(self.site, "puppet", PUPPET, attribute="Puppet")
        make_root(self.root)
        self.config_path = self.root / "config.yaml"
        self.settings: dict[str, Any] = {}
        self.configure(**settings)
        self.prefix: list[str] = []
        """A command that sets the scene and then executes the daemon's, such as `unshare`."""
        self._waits = ""
        self._processes: list[subprocess.Popen[bytes]] = []

    def configure(self, **settings: Any) -> None:
        """Write the config: the fast settings with `settings` over them."""
        self.settings = merged(merged(FAST, self.settings), settings)
        self.config_path.write_text(yaml.safe_dump(self.settings))

    @property
    def config(self) -> Config:
        """The config as the daemon reads it."""
        return load_config(self.config_path)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a command: the puppet on the path, one thread."""
        kept = {k: v for k, v in os.environ.items() if k not in {"NSTD_CONFIG", "NOTIFY_SOCKET"}}
        path = os.pathsep.join([str(self.site), str(CHECKOUT)])
        return kept | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}

    def picture(self, name: str, size: tuple[int, int] = (32, 24), color: str = "teal") -> Path:
        """Drop a picture of one colour into the inbox."""
        path = self.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, color).save(path)
        return path

    def sidecar(self, name: str, **wishes: Any) -> Path:
        """Drop a sidecar into the inbox, atomically; `content.png` and `style.png` by default."""
        path = self.inbox / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        wish = {"content": "content.png", "style": "style.png", **wishes}
        temporary.write_text(yaml.safe_dump(wish))
        temporary.rename(path)
        return path

    def pair(self, name: str, **wishes: Any) -> Path:
        """Drop two pictures, if they are not there, and a sidecar that names them."""
        for picture, color in (("content.png", "teal"), ("style.png", "orange")):
            if not (self.inbox / name).parent.joinpath(picture).exists():
                self.picture(str(Path(name).parent / picture), color=color)
        return self.sidecar(name, **wishes)

    def command(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `nstd ARGUMENTS` to its end; the config is in NSTD_CONFIG.

        In this process where the process is not the point; else in one that need not import all
        the package, unless something is asked for that only a new one has.
        """
        environment = self.environment | {"NSTD_CONFIG": str(self.config_path)}
        environment |= options.pop("env", {})
        cwd, timeout = options.pop("cwd", self.folder), options.pop("timeout", 250)
        if arguments and not (options or self.prefix or self._is_sabotaged()):
            if arguments[0] in HERE and not {"-f", "--follow", "--watch"} & set(arguments):
                return run_here(arguments, environment, cwd)
            return PRELOADED.run(arguments, environment, cwd, timeout)
        return subprocess.run(
            [*self.prefix, sys.executable, "-m", "nstd", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=cwd,
            **options,
        )

    def here(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `nstd ARGUMENTS`, which are refused before there is anything to run, in here."""
        environment = self.environment | {"NSTD_CONFIG": str(self.config_path)}
        return run_here(arguments, environment, self.folder)

    def once(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the daemon until the inbox is empty."""
        return self.command("run", "--once", *arguments)

    def said(self, *command: str) -> str:
        """The output of a command that must succeed."""
        done = self.command(*command)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def sabotage(self, source: str) -> None:
        """Have every process of the playground, daemon and worker, run `source` first."""
        (self.site / "sitecustomize.py").write_text(source)

    def hurry(self, **waits: float) -> None:
        """Have the daemons that `start` starts wait shorter, in general after a disk error."""
        self._waits = json.dumps(waits or SHORT)

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start the daemon and wait until it is up; `close` ends it at the latest."""
        before = len(self.told("daemon.started"))
        process = self._spawn(("-c", str(self.config_path), *arguments), env or {})
        self._processes.append(process)
        wait_for(
            lambda: len(self.told("daemon.started")) > before or process.poll() is not None,
            what="daemon.started",
        )
        return process

    def _spawn(self, arguments: tuple[str, ...], more: dict[str, str]) -> subprocess.Popen[bytes]:
        """A daemon that writes into `stderr`; forked where only that is asked for."""
        environment = self.environment | more
        run = () if self._waits else ("run",)
        if not (self.prefix or more or self._is_sabotaged()):
            return PRELOADED.start((*run, *arguments), environment, self.folder, self._waits)
        program = [str(HURRIED), self._waits] if self._waits else ["-m", "nstd", *run]
        with (self.folder / "stderr").open("ab") as stderr:
            return subprocess.Popen(
                [*self.prefix, sys.executable, *program, *arguments],
                env=environment,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                cwd=self.folder,
            )

    def _is_sabotaged(self) -> bool:
        return (self.site / "sitecustomize.py").exists()

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; the exit status."""
        process.send_signal(number)
        return process.wait(timeout=120)

    def close(self) -> None:
        """End every daemon that still runs."""
        for process in self._processes:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)

    def events(self, event: str = "", **fields: Any) -> list[dict[str, Any]]:
        """The lines of the log, rotated ones too, oldest first: those that match.

        The last one may be written at this moment: it counts once it is whole.
        """
        files = sorted(self.outbox.glob("logs/nstd.jsonl*"), reverse=True)
        texts = [path.read_text().rpartition("\n")[0] for path in files]
        lines = [json.loads(line) for text in texts for line in text.splitlines()]
        return matching(lines, event, **fields)

    def told(self, event: str = "", **fields: Any) -> list[dict[str, Any]]:
        """The same of what started daemons wrote on standard error, whatever became of the log."""
        path = self.folder / "stderr"
        texts = path.read_text().splitlines() if path.exists() else []
        lines = [json.loads(text) for text in texts if text.startswith("{")]
        return matching(lines, event, **fields)

    def ended(self) -> int:
        """How many terminal events the log holds."""
        return len(self.events("job.finished")) + len(self.events("job.failed"))

    def record(self, name: str) -> dict[str, Any]:
        """The record of a result."""
        record: dict[str, Any] = json.loads(
            (self.outbox / name / f"{Path(name).name}.json").read_text()
        )
        return record

    def reason(self, name: str) -> dict[str, Any]:
        """The reason of a failure."""
        reason: dict[str, Any] = json.loads(
            (self.outbox / "failed" / name / "reason.json").read_text()
        )
        return reason


def on_a_terminal(playground: Playground, *command: str) -> str:
    """What a command that ends well draws on a terminal of 120 columns, without its escapes."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "nstd", *command],
        env=playground.environment | {"TERM": "xterm", "COLUMNS": "120"},
        cwd=playground.folder,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    seen = everything_from(ours)
    assert process.wait(timeout=120) == 0
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


def codes(playground: Playground) -> dict[str, str]:
    """The codes of the jobs that failed, by name."""
    return {line["name"]: line["code"] for line in playground.events("job.failed")}


def finished(playground: Playground) -> set[str]:
    """The names of the jobs that have made their pictures."""
    return {line["name"] for line in playground.events("job.finished")}
