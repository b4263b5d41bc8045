"""One step in a process of its own: what it breaks on the device ends with it.

Run as `python -m nstd.bench.gpu.step MODULE:FUNCTION SETUP`; SETUP is JSON. The last line of output
is the finding as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from typing import Any

from nstd.bench.gpu.finding import Finding
from nstd.bench.gpu.plan import GpuSetup, Sizes
from nstd.errors import NstdError
from nstd.system.child import die_with_parent


def run_step(run: str, setup: GpuSetup) -> Finding:
    """The finding of a function, given as `module:function`; an error is one, too."""
    module, _, name = run.partition(":")
    try:
        function: Callable[[GpuSetup], Finding] = getattr(import_module(module), name)
        if setup.device != "cpu":
            from nstd.backends.gatys.device_errors import require_device  # imports torch

            require_device(setup.device)
        return function(setup)
    except NstdError as error:
        return Finding("failed", f"{error.message} [{error.code}]")
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        return Finding("failed", f"{type(error).__name__}: {first}")


def parse_setup(text: str) -> GpuSetup:
    """The setup from JSON."""
    given: dict[str, Any] = json.loads(text)
    sizes: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in given.pop("sizes").items()
    }
    return GpuSetup(**{**given, "networks": tuple(given["networks"]), "sizes": Sizes(**sizes)})


if __name__ == "__main__":
    die_with_parent()
    print("\n" + json.dumps(asdict(run_step(sys.argv[1], parse_setup(sys.argv[2])))))  # noqa: T201
