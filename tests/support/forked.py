"""Child processes of forked daemons, forked as well: they need not import nstd again.

They are processes like others, with their own pid, session, outputs and environment; what a new
Python alone would show is asked of daemons that are not forked.
"""

from __future__ import annotations

import gc
import importlib
import os
import runpy
import secrets
import signal
import subprocess
import sys
import traceback
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import count, pairwise
from typing import Any, NoReturn

import structlog

from nstd.queue import job

MODULE = [sys.executable, "-P", "-m"]
FORKED = (
    "nstd.backends.probe",
    "nstd.executors.worker.main",
    "nstd.images.check",
    "nstd.images.verify",
    "nstd.outbox.contact_sheet",
    "nstd.outbox.expiry.main",
)
"""What the process that forks has imported; other modules start as usual."""


class ForkingPopen(subprocess.Popen[bytes]):
    """Forks for the modules in `FORKED`, and starts every other command."""

    site = ""
    """The folder of the daemon's plugins: each process imports them itself."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        at = _index_of(MODULE, command)
        if at is not None and command[at + len(MODULE)] in FORKED:
            module, *arguments = command[at + len(MODULE) :]
            kept = options.get("pass_fds", ())
            environment = options.get("env") or dict(os.environ)
            options["preexec_fn"] = partial(_become, module, arguments, environment, kept)
        super().__init__(command, **options)


def fork_children(site: str) -> None:
    """Have this process, a daemon whose plugins are in `site`, fork its child processes.

    Its jobs have other ids than those of others that were forked in the same second.
    """
    ForkingPopen.site = site
    setattr(job, "_numbers", count(secrets.randbelow(2**24)))  # noqa: B010 - as after an import
    setattr(subprocess, "Popen", ForkingPopen)  # noqa: B010 - it has a type of its own


def reopen_outputs() -> None:
    """Have new files for what is now behind the descriptors of the standard streams."""
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - a descriptor
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115


def _index_of(part: Sequence[str], command: Sequence[str]) -> int | None:
    """Where `part` stands in the command: a launcher may come first."""
    for at in range(len(command) - len(part)):
        if list(command[at : at + len(part)]) == part:
            return at
    return None


def _become(
    module: str, arguments: list[str], environment: Mapping[str, str], kept: Collection[int]
) -> NoReturn:
    """Be a new process that runs a module; called in the child, just after the fork."""
    gc.freeze()
    for below, above in pairwise([2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]):
        os.closerange(below + 1, above)
    status = 1
    try:
        _forget_parent(environment)
        sys.argv = [module, *arguments]
        sys.orig_argv[:] = [*MODULE, module, *arguments]
        sys.modules.pop(module, None)  # it runs as __main__
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as ending:
        status = ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def _forget_parent(environment: Mapping[str, str]) -> None:
    """Have the signals, outputs, environment and plugins of a process that has just started."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    reopen_outputs()
    os.environ.clear()
    os.environ.update(environment)
    structlog.reset_defaults()
    importlib.invalidate_caches()
    for name, loaded in list(sys.modules.items()):
        if str(getattr(loaded, "__file__", "") or "").startswith(f"{ForkingPopen.site}/"):
            del sys.modules[name]
