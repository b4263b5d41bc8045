"""`python -m nstd.outbox.expiry.main SETTINGS`: one sweep for the daemon, in a process of its own.

A share that does not answer must not stop the daemon. SETTINGS is a JSON object with `outbox`,
`work`, `retention` and `pace`, the seconds between two units. For each unit that is gone, a line is
printed at once: a JSON object with its `path`, `kind` and `bytes`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from nstd.documents.retention import RetentionSettings
from nstd.errors import StoreError, clean
from nstd.outbox.expiry.due import DueUnit
from nstd.outbox.expiry.sweep import sweep
from nstd.system.child import die_with_parent
from nstd.system.durable import Files


def main(settings: str) -> None:
    """Sweep once; the process ends with the daemon. Exits with a message when it fails."""
    die_with_parent()
    os.nice(10)
    given = json.loads(settings)
    retention = RetentionSettings.model_validate(given["retention"])

    def tell(unit: DueUnit) -> None:
        line = {"path": unit.path, "kind": unit.kind, "bytes": unit.bytes}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        time.sleep(given["pace"])

    try:
        outbox, work = Path(given["outbox"]), Path(given["work"])
        sweep(outbox, work, retention, Files(), time.time(), tell)
    except (OSError, StoreError) as error:
        sys.exit(clean(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
