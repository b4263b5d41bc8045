"""What holds for every command: the config, errors, exit codes, help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.playground import Playground

from nstd import __version__
from nstd.cli.app import _COMMANDS, EXIT_CODES
from nstd.client import readable


def test_version(playground: Playground) -> None:
    """`nstd --version` says the version."""
    assert playground.command("--version").stdout == f"nstd, version {__version__}\n"


@pytest.mark.parametrize("command", sorted(_COMMANDS))
def test_every_command_has_help(playground: Playground, command: str) -> None:
    """`-h` works on every command, and its first line is there."""
    done = playground.command(command, "-h")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Usage: nstd {command}")


def test_an_unknown_command_suggests_the_nearest(playground: Playground) -> None:
    """A slip of the finger is answered with the command that was meant."""
    done = playground.command("statsu")
    assert done.returncode == 2
    assert "No such command 'statsu'; did you mean 'status'?" in done.stderr


def test_the_help_documents_every_exit_code(playground: Playground) -> None:
    """The exit codes stand at the end of `nstd --help`."""
    said = playground.command("--help").stdout.partition("Exit codes:")[2]
    assert [int(code) for code in re.findall(r"^ +(\d+)  ", said, re.MULTILINE)] == list(EXIT_CODES)


@pytest.mark.parametrize("where", ["option", "folder", "before", "variable", "here"])
def test_the_config_is_found(playground: Playground, where: str) -> None:
    """By `-c FILE` or `-c FOLDER`, before or after the command, NSTD_CONFIG, ./config.yaml."""
    path, arguments, none = str(playground.config_path), ["status"], {"NSTD_CONFIG": "/absent"}
    done = {
        "option": lambda: playground.command(*arguments, "-c", path, env=none),
        "folder": lambda: playground.command(*arguments, "-c", str(playground.root), env=none),
        "before": lambda: playground.command("-c", path, *arguments, env=none),
        "variable": lambda: playground.command(*arguments, env={"NSTD_CONFIG": path}),
        "here": lambda: playground.command(
            *arguments, env={"NSTD_CONFIG": ""}, cwd=playground.root
        ),
    }[where]()
    assert done.returncode == 0, done.stderr
    assert str(playground.root) in done.stdout


@pytest.mark.parametrize(
    "command",
    ["run", "status", "doctor", "networks", "cancel x", "retry x", "check x.yaml", "backends"],
)
def test_a_missing_config_is_one_line_and_a_hint(playground: Playground, command: str) -> None:
    """Exit code 3, and how to make one."""
    done = playground.command(*command.split(), "-c", "absent.yaml")
    assert done.returncode == 3
    message, hint = done.stderr.splitlines()
    assert message == "nstd: absent.yaml: no such config file [config_invalid]"
    assert "nstd init" in hint


@pytest.mark.parametrize(
    ("variable", "words"),
    [
        ("/absent/x.yaml", "/absent/x.yaml: no such config file (NSTD_CONFIG names it)"),
        ("", "/config.yaml: no such config file (neither -c nor NSTD_CONFIG names one)"),
    ],
)
def test_a_missing_config_says_who_named_it(
    playground: Playground, variable: str, words: str
) -> None:
    """With the whole path of the file that was tried."""
    done = playground.command("status", env={"NSTD_CONFIG": variable}, cwd=playground.folder)
    assert words in done.stderr
    assert done.stderr.startswith("nstd: /")
    before = playground.command("-c", "absent.yaml", "status", env={"NSTD_CONFIG": variable})
    assert before.stderr.startswith("nstd: absent.yaml: no such config file [")


@pytest.mark.parametrize(
    ("command", "closed"),
    [
        ("status", "work"),
        ("status", "outbox/failed"),
        ("logs", "outbox/logs"),
        ("cancel x", "inbox"),
    ],
)
def test_a_folder_that_is_closed_to_who_asks_is_no_empty_one(
    playground: Playground, monkeypatch: pytest.MonkeyPatch, command: str, closed: str
) -> None:
    """It is named, with who may look; exit code 1."""
    folder, look = playground.root / closed, readable.list_folder

    def list_others(path: Path) -> None:
        if path == folder:
            raise PermissionError(13, "Permission denied", str(path))
        look(path)

    monkeypatch.setattr(readable, "list_folder", list_others)
    done = playground.command(*command.split())
    assert done.returncode == 1
    assert f"nstd: {folder} is closed to " in done.stderr
    assert "nstd help service" in done.stderr


def test_a_wrong_config_says_where_and_what_was_meant(playground: Playground) -> None:
    """Exit code 3, with file, line, column and the nearest right key."""
    playground.config_path.write_text("jobs:\n  priorty: 3\n")
    done = playground.command("run", "--once")
    assert done.returncode == 3
    assert f"{playground.config_path}:2:3: unknown key 'priorty'; did you mean 'priority'?" in (
        done.stderr
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("jobs:\n  priorty: 3\n", "config.yaml:2:3: unknown key 'priorty'"),
        ("folders: {outbox: results}\njobs: [\n", "config.yaml:3:1: "),
        ("folders:\n  outbox: results\nlog: loud\n", "config.yaml:3:6: log: expected a mapping"),
    ],
)
def test_a_wrong_config_does_not_blind_those_who_look(
    playground: Playground, text: str, words: str
) -> None:
    """What is there is shown, with a warning that names the mistake and how to see it."""
    outbox = "results" if "results" in text else "outbox"
    playground.configure(folders={"outbox": outbox})
    playground.outbox = playground.root / outbox
    playground.pair("beach")
    playground.once()
    playground.config_path.write_text(text)
    status = playground.command("status")
    assert status.returncode == 0, status.stderr
    assert "0 running, 1 done" in status.stdout
    logs = playground.command("logs", "beach")
    assert "job.finished" in logs.stdout
    for done in (status, logs):
        assert words in done.stderr
        assert (
            f"`nstd check -c {playground.config_path} {playground.config_path}` shows each place"
            in done.stderr
        )
    checked = playground.command("check", str(playground.config_path))
    assert words in checked.stdout


@pytest.mark.parametrize("text", ["folders: {inbox: 3}\n", "{jobs: [\n", "folders:\n  - [\n"])
def test_a_config_whose_folders_cannot_be_known_is_an_error_with_a_hint(
    playground: Playground, text: str
) -> None:
    """Nothing is shown of a root that is not the one meant."""
    playground.config_path.write_text(text)
    done = playground.command("status")
    assert done.returncode == 3
    assert not done.stdout
    assert "[config_invalid]" in done.stderr
    assert f"`nstd check -c {playground.config_path} {playground.config_path}`" in done.stderr


def test_doctor_tells_a_wrong_config_and_looks_at_the_rest(playground: Playground) -> None:
    """Its hints lead to the place."""
    playground.config_path.write_text("jobs: {priorty: 3}\n")
    done = playground.command("doctor")
    assert done.returncode == 1
    first = done.stdout.splitlines()[0]
    assert first == f"FAIL  config: {playground.config_path}:1:8: unknown key 'priorty'; " + (
        "did you mean 'priority'?"
    )
    assert "ok    inbox: " in done.stdout


def test_networks_are_listed_without_a_root(playground: Playground) -> None:
    """Who reads about styles has none yet."""
    done = playground.command("networks", env={"NSTD_CONFIG": ""})
    assert done.returncode == 0, done.stderr
    assert {"fixed", "fitted", "vgg16"} <= {line.split(" ")[0] for line in done.stdout.splitlines()}
    installing = playground.command("networks", "install", "vgg16", env={"NSTD_CONFIG": ""})
    assert installing.returncode == 3
    assert "make one with `nstd init ROOT`" in installing.stderr


def test_a_second_daemon_on_the_same_root_is_refused(playground: Playground) -> None:
    """Exit code 4, with the first one's pid."""
    first = playground.start()
    second = playground.once()
    assert second.returncode == 4
    assert f"pid {first.pid}" in second.stderr
    assert "[already_running]" in second.stderr
    assert first.poll() is None


def test_a_bug_is_one_line_and_a_file(playground: Playground) -> None:
    """Exit code 70: nobody meets a traceback, but it can be found."""
    (playground.site / "sitecustomize.py").write_text(
        "import nstd.client.status\n"
        "def broken(config):\n    raise KeyError('the\\nbug')\n"
        "nstd.client.status.read_status = broken\n"
    )
    done = playground.command("status", env={"TMPDIR": str(playground.folder)})
    assert done.returncode == 70
    message, hint = done.stderr.splitlines()
    assert message == "nstd: a bug: KeyError: 'the\\nbug' [internal_error]"
    (path,) = re.findall(r"/\S+\.txt", hint)
    assert "in broken" in Path(path).read_text()


def test_a_folder_that_cannot_be_used_is_no_bug(playground: Playground) -> None:
    """A file operation that fails is told in one line, with the path."""
    playground.config_path.write_text("folders: {inbox: file/inbox}\n")
    (playground.root / "file").write_text("no folder")
    done = playground.command("run", "--once")
    assert done.returncode == 1
    assert f"nstd: {playground.root}/file" in done.stderr
    assert "Traceback" not in done.stderr


def test_output_into_a_closed_pipe_is_no_bug(playground: Playground) -> None:
    """`nstd status | head -0` ends quietly."""
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m nstd status --json | true"],
        env=playground.environment | {"NSTD_CONFIG": str(playground.config_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


def test_commands_do_not_import_torch(playground: Playground) -> None:
    """No command that only looks waits for torch."""
    poison = playground.folder / "poison"
    poison.mkdir()
    for name in ("torch", "torchvision", "numpy", "PIL"):
        (poison / f"{name}.py").write_text("raise RuntimeError('imported')")
    path = os.pathsep.join([str(poison), playground.environment["PYTHONPATH"]])
    for command in ("status", "networks", "schema", "backends"):
        done = playground.command(command, env={"PYTHONPATH": path, "PYTHONSAFEPATH": "1"})
        assert done.returncode == 0, done.stderr
        assert "gatys          off" not in done.stdout
