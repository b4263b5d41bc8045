"""The same targets led by coverage: `python -m tests.fuzz.guided TARGET [LIBFUZZER OPTIONS]`.

Needs atheris. nstd, PyYAML and Pillow's parsers in Python are instrumented; its decoders in C are
not. libFuzzer bounds time and memory; the audit hook watches what is opened.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["nstd", "yaml", "PIL"]):
    from . import bounded, targets


def main() -> None:
    """Run libFuzzer until it is told to stop or finds something."""
    target = targets.TARGETS[sys.argv[1]]

    def attempt(data: bytes) -> None:
        target(data)
        assert not bounded.strayed, bounded.strayed

    bounded.watch()
    atheris.Setup([sys.argv[0], *sys.argv[2:]], attempt)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
