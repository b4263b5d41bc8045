"""`python -m tests.fuzz sidecar|config|image|film [--minutes M] [--seed S] [--guided]`.

Prints what was tried and what was found; the exit status is 1 if anything was. The inputs of
findings are left in the folder `fuzz-findings`.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from . import bounded, targets
from .mutate import make_input
from .seeds import seeds, tokens


def main() -> int:
    """Run one target for so long."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=targets.TARGETS)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--guided", action="store_true", help="by coverage; needs atheris")
    parser.add_argument("--out", type=Path, default=Path("fuzz-findings"))
    said = parser.parse_args()
    if said.guided:
        return guided(said.target, said.minutes, said.seed, said.out)
    until = time.monotonic() + 60 * said.minutes
    tally = bounded.try_all(said.target, partial(make_input, said.target, said.seed), until=until)
    print(f"{said.target}, seed {said.seed}: {tally}")
    for finding in tally.findings.values():
        said.out.mkdir(exist_ok=True)
        path = said.out / f"{said.target}-{hashlib.sha256(finding.data).hexdigest()[:12]}"
        path.write_bytes(finding.data)
        print(f"  {finding.what}\n    {path}")
    return 1 if tally.findings else 0


def guided(target: str, minutes: float, seed: int, out: Path) -> int:
    """Run libFuzzer through atheris, from the same seeds and tokens."""
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="nstd-fuzz-") as folder:
        corpus, words = Path(folder) / "corpus", Path(folder) / "words"
        corpus.mkdir()
        for number, data in enumerate(seeds(target)):
            (corpus / f"seed-{number}").write_bytes(data)
        escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in tokens(target))
        words.write_text("".join(f'"{token}"\n' for token in escaped))
        options = {
            "max_total_time": int(60 * minutes),
            "seed": seed,
            "max_len": 65536,
            "timeout": int(targets.SECONDS),
            "rss_limit_mb": 300 + (targets.MEMORY >> 20),
            "dict": words,
            "artifact_prefix": f"{out}/{target}-",
            "print_final_stats": 1,
        }
        arguments = [f"-{key}={value}" for key, value in options.items()]
        command = [sys.executable, "-m", f"{__package__}.guided", target, *arguments, str(corpus)]
        return subprocess.run(command).returncode


if __name__ == "__main__":
    sys.exit(main())
