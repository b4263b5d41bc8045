"""What a sidecar leaves unsaid comes from the config, the backend, or a default."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.plugins import BACKEND, install

from nstd.backends.registry import Backends
from nstd.documents.config import Config
from nstd.documents.names import NAME_BYTES
from nstd.documents.sidecar import parse_sidecar
from nstd.errors import BackendError, NstdError, SidecarError
from nstd.intake.plan import make_order, plain_order, safe_name
from nstd.queue.job import Failure

PAIR = "content: a.jpg\nstyle: b.jpg\n"


def config(tmp_path: Path, **settings: object) -> Config:
    """A config of its own."""
    return Config.at(tmp_path, **settings)


def test_the_sidecar_goes_before_the_config_and_the_config_before_the_default(
    tmp_path: Path,
) -> None:
    """For every setting of a job, also for those of the backend."""
    settings = {
        "jobs": {"backend": "color-transfer", "format": "webp", "priority": 7, "timeout": "1m"},
        "backends": {"color-transfer": {"strength": 0.25}},
    }
    plugins, known = Backends(), config(tmp_path, **settings)
    bare = make_order("x.yaml", parse_sidecar(PAIR.encode(), "x.yaml"), known, plugins)
    assert (bare.name, bare.backend, bare.format) == ("x", "color-transfer", "webp")
    assert (bare.priority, bare.timeout, bare.options["strength"]) == (7, 60.0, 0.25)
    text = PAIR + (
        "output: {name: y, size: 64, format: jpg}\npriority: 0\ntimeout: 5s\n"
        "options: {strength: 0.5}\n"
    )
    said = make_order("x.yaml", parse_sidecar(text.encode(), "x.yaml"), known, plugins)
    assert (said.name, said.size, said.format) == ("y", 64, "jpg")
    assert (said.priority, said.timeout, said.options["strength"]) == (0, 5.0, 0.5)


@pytest.mark.parametrize(("backend", "usual"), [("gatys", 512), ("color-transfer", None)])
def test_only_a_size_that_the_sidecar_asks_for_enlarges(
    tmp_path: Path, backend: str, usual: int | None
) -> None:
    """The default of a backend does not."""
    plugins, known = Backends(), config(tmp_path, jobs={"backend": backend})
    bare = make_order("x.yaml", parse_sidecar(PAIR.encode(), "x.yaml"), known, plugins)
    text = PAIR + "output: {size: 64}\n"
    said = make_order("x.yaml", parse_sidecar(text.encode(), "x.yaml"), known, plugins)
    assert (bare.size, bare.enlarge) == (usual, False)
    assert (said.size, said.enlarge) == (64, True)


@pytest.mark.parametrize(
    ("text", "error", "code"),
    [
        (PAIR + "backend: nobody\n", BackendError, "backend_unknown"),
        (
            PAIR + "backend: color-transfer\noptions: {strenght: 1}\n",
            SidecarError,
            "options_invalid",
        ),
    ],
)
def test_what_the_backend_refuses_is_refused_before_the_job_runs(
    tmp_path: Path, text: str, error: type[Exception], code: str
) -> None:
    """With the code that says why."""
    with pytest.raises(error) as caught:
        make_order("x.yaml", parse_sidecar(text.encode(), "x.yaml"), config(tmp_path), Backends())
    assert getattr(caught.value, "code", "") == code


def test_a_sidecar_that_could_not_be_read_still_has_a_name(tmp_path: Path) -> None:
    """It has to be told of under some name."""
    assert plain_order("sub/Größe.yaml", None, config(tmp_path)).name == "Größe"


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("beach", "beach"),
        ("two\nlines", "two_lines"),
        ("a\\b", "a_b"),
        ("...", "unnamed"),
        (os.fsdecode(b"caf\xe9"), "caf?"),
        ("Cafe\u0301", "Café"),
        ("n" * 300, "n" * NAME_BYTES),
        ("é" * 150, "é" * 100),
    ],
)
def test_any_file_name_becomes_a_name_for_the_outbox(stem: str, name: str) -> None:
    """Printable, valid UTF-8, short enough to get an ending."""
    assert safe_name(stem) == name


@given(st.binary(min_size=1, max_size=255).filter(lambda data: not set(data) & {0, 47}))
def test_a_safe_name_is_safe_whatever_the_file_is_called(data: bytes) -> None:
    """Whatever bytes a disk can hold as a name."""
    name = safe_name(os.fsdecode(data))
    assert 0 < len(name.encode()) <= NAME_BYTES
    assert not name.startswith(".")
    assert "/" not in name
    assert name.isprintable()


@pytest.mark.parametrize(
    "error",
    [
        "ValueError('half a letter \\ud83d')",
        "RuntimeError('\\udcff')",
        "KeyboardInterrupt()",
        "SystemExit(1)",
        "BaseExceptionGroup('several', [KeyboardInterrupt()])",
    ],
)
def test_whatever_an_options_validator_raises_refuses_its_job_and_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """It runs inside the daemon."""
    source = BACKEND.replace(
        "    strength: float = 1.0\n",
        "    strength: float = 1.0\n"
        "    @field_validator('strength')\n"
        f"    def _bad(cls, value): raise {error}\n",
    ).replace("import BaseModel,", "import BaseModel, field_validator,")
    name = f"fake{abs(hash(error))}"
    install(tmp_path, name, source)
    monkeypatch.syspath_prepend(str(tmp_path))
    text = PAIR + f"backend: {name}\noptions: {{strength: 2}}\n"
    with pytest.raises(NstdError) as caught:
        make_order("x.yaml", parse_sidecar(text.encode(), "x.yaml"), config(tmp_path), Backends())
    assert caught.value.code in {"backend_failed", "options_invalid"}
    failure = Failure.of(caught.value)
    assert Failure.model_validate_json(failure.model_dump_json()) == failure
