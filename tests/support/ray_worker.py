"""Starts a worker of Ray, in the environment that was asked for.

Ray's own script, which a node calls before each worker, does no more and imports the whole of Ray.
"""

from __future__ import annotations

import json
import os
import sys

CONTEXT = "--serialized-runtime-env-context="


def main(arguments: list[str]) -> None:
    """Become the worker."""
    for argument in arguments:
        if argument.startswith(CONTEXT):
            os.environ.update(json.loads(argument.removeprefix(CONTEXT)).get("env_vars", {}))
    command = [each for each in arguments if not each.startswith((CONTEXT, "--language="))]
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main(sys.argv[1:])
