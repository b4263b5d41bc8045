"""Places where attempts run, by the `kind` of the config."""

from __future__ import annotations

from pathlib import Path

from nstd.config import Config
from nstd.devices import Slot
from nstd.executor import Executor


def make_executor(config: Config, slots: list[Slot], scratch: Path) -> Executor:
    """The executor that the config asks for; `scratch` takes the output of workers."""
    if config.executor.kind == "inline":
        from nstd.executors.inline import InlineExecutor

        return InlineExecutor(config)
    from nstd.executors.local import LocalExecutor

    return LocalExecutor(config, slots, scratch)
