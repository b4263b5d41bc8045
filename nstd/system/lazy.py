"""The public names of a package, each imported from its module when it is first used (PEP 562).

A process that needs one module of a package does not load the others: so `nstd status` starts fast,
and a worker does not load the YAML reader.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy_exports(package: str, **modules: str) -> Callable[[str], Any]:
    """The `__getattr__` of `package`; `modules` has the module of each public name.

    The package also imports the names under `if TYPE_CHECKING`, for type checkers.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return get
