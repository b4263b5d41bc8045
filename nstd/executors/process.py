"""One worker process with its channel, as seen from the daemon."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Generic

from pydantic import TypeAdapter

from nstd.executors.channel import DaemonEnd, Heard
from nstd.system.child import Child, import_path, python_module
from nstd.system.durable import inherit_owner

_TAIL = 4000
_MOST_OUTPUT = 8 * 2**20


class WorkerProcess(Child, Generic[Heard]):
    """A spawned `nstd.executors.worker.main`, or another `module`.

    What it says is of the kinds that are `heard`. Its output goes to a file. Raises OSError when it
    cannot be started.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        output: Path,
        heard: TypeAdapter[Heard],
        module: str = "nstd.executors.worker.main",
    ) -> None:
        self.output = output
        output.unlink(missing_ok=True)
        ours, theirs = socket.socketpair()
        try:
            # appending, so that what is cut off here makes room there
            with theirs, output.open("ab") as sink:
                inherit_owner(sink.fileno(), output.parent)
                super().__init__(
                    python_module(module, theirs.fileno()),
                    {**environment, **import_path()},
                    output=sink,
                    pass_fds=[theirs.fileno()],
                )
        except OSError:
            ours.close()
            raise
        self.channel = DaemonEnd(ours, heard)

    def tell_where(self) -> None:
        """Have it print where each of its threads stands."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGUSR1)

    def forget_output(self) -> None:
        """Begin its output anew."""
        with suppress(OSError):
            os.truncate(self.output, 0)

    def limit_output(self) -> None:
        """Keep a process that prints without end from filling the disk."""
        with suppress(OSError):
            if self.output.stat().st_size > _MOST_OUTPUT:
                self.forget_output()

    def tail(self) -> str:
        """The end of what it printed, for a person who wonders why it died."""
        with suppress(OSError), self.output.open("rb") as file:
            file.seek(max(0, self.output.stat().st_size - _TAIL))
            return file.read().decode(errors="replace")
        return ""

    def kill(self) -> None:
        """End it at once and for good, with all that it started."""
        super().kill()
        self.channel.close()
