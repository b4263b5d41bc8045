"""Tries a device in a process of its own, which a broken driver may end: for `devices: auto`.

Run as `python -m nstd.backends.gatys.device_trial DEVICE`; prints one line of JSON: the model of
the device, its relative error and the seconds of an evaluation, or the problem with it.
"""

from __future__ import annotations

import json
import sys

from nstd.backends.gatys.device_check import MOST_ERROR, relative_error, seconds_of_evaluation
from nstd.backends.gatys.device_errors import require_device
from nstd.backends.gatys.device_memory import device_name
from nstd.errors import NstdError
from nstd.system.child import die_with_parent


def main(device: str) -> None:
    """Print what is found about `device`."""
    die_with_parent()
    print("\n" + json.dumps(look(device)))  # noqa: T201 - libraries may have printed before


def look(device: str) -> dict[str, object]:
    """What is found about `device`; of the CPU only its speed."""
    found: dict[str, object] = {}
    try:
        require_device(device)
        if device != "cpu":
            error = relative_error(device)
            found = {"model": device_name(device), "error": error}
            if not error < MOST_ERROR:
                return found | {"problem": "it computes wrong"}
        return found | {"seconds": seconds_of_evaluation(device)}
    except NstdError as error:
        return {"problem": error.message}
    except Exception as error:
        return {"problem": f"{type(error).__name__}: {error}".splitlines()[0]}


if __name__ == "__main__":
    main(sys.argv[1])
