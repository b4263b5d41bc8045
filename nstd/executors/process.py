"""One worker process and its channel, on the daemon's side."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Generic

from pydantic import TypeAdapter

from nstd.executors.channel import DaemonEnd, Received
from nstd.system.child import Child, import_path, python_module
from nstd.system.ownership import inherit_owner

_TAIL = 4000
_MOST_OUTPUT = 8 * 2**20


class WorkerProcess(Child, Generic[Received]):
    """A process that runs `nstd.executors.worker.main`, or another `module`.

    The type adapter `received` reads its messages. Its output goes to the file `output`. Raises
    OSError when it cannot be started.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        output: Path,
        received: TypeAdapter[Received],
        module: str = "nstd.executors.worker.main",
    ) -> None:
        self.output = output
        output.unlink(missing_ok=True)
        ours, theirs = socket.socketpair()
        try:
            # append mode, so that truncating the file here also moves the writer's end
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
        self.channel = DaemonEnd(ours, received)

    def dump_stacks(self) -> None:
        """Ask it to print the stack of each of its threads."""
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self.pid, signal.SIGUSR1)

    def forget_output(self) -> None:
        """Delete its output so far."""
        with suppress(OSError):
            os.truncate(self.output, 0)

    def limit_output(self) -> None:
        """Truncate its output when it is too long, so that it cannot fill the disk."""
        with suppress(OSError):
            if self.output.stat().st_size > _MOST_OUTPUT:
                self.forget_output()

    def tail(self) -> str:
        """The end of its output, to show why it died."""
        with suppress(OSError), self.output.open("rb") as file:
            file.seek(max(0, self.output.stat().st_size - _TAIL))
            return file.read().decode(errors="replace")
        return ""

    def kill(self) -> None:
        """Kill it, with all processes that it started."""
        super().kill()
        self.channel.close()
