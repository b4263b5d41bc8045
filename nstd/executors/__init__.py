"""Executors: they run attempts. The config's `executor.kind` selects one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nstd.executors.contract import Executor
from nstd.executors.devices import choose, make_slots

if TYPE_CHECKING:  # workers do not load the YAML reader
    from nstd.documents.config import Config


def make_executor(config: Config, scratch: Path) -> Executor:
    """The executor that the config selects; `scratch` is the folder for the output of workers."""
    if config.executor.kind == "inline":
        from nstd.executors.inline import InlineExecutor

        return InlineExecutor(config)
    if config.executor.kind == "ray":
        from nstd.executors.cluster.executor import RayExecutor

        return RayExecutor(config, scratch)
    from nstd.executors.local import LocalExecutor

    choice = choose(config.devices)
    slots = make_slots(choice.devices, config.slots)
    return LocalExecutor(config, slots, scratch, choice.trials)
