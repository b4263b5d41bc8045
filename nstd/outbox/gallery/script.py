"""Data as scripts: each calls one function with JSON arguments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def script(function: str, *arguments: Any) -> bytes:
    """The text of a script that calls `function`, in ASCII."""
    encoded = ",".join(json.dumps(each, separators=(",", ":")) for each in arguments)
    return f"{function}({encoded});\n".encode()


def arguments(path: Path, function: str) -> list[Any]:
    """The arguments in a script that `script` made. Raises OSError and ValueError."""
    text = path.read_text()
    begin, end = f"{function}(", ");\n"
    if not (text.startswith(begin) and text.endswith(end)):
        raise ValueError(f"{path} is torn, or of another version")
    found: list[Any] = json.loads(f"[{text[len(begin) : -len(end)]}]")
    return found
