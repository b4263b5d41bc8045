"""Weights files: found, verified, installed, refused."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from nstd.backends import weights
from nstd.backends.weights import Installed, find, install, listing
from nstd.backends.weights_registry import REGISTRY, Weights, hub_folder
from nstd.errors import WeightsError

DATA = b"the weights of a small network"
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(autouse=True)
def small_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Weights:
    """A registry with one network whose file is DATA, and an empty cache of torch."""
    row = Weights(f"vgg16-{SHA256[:8]}.pth", SHA256[:8], len(DATA), "")
    monkeypatch.setattr(weights, "REGISTRY", {"vgg16": row})
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return row


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file with the right bytes under any name."""
    path = tmp_path / "downloaded.bin"
    path.write_bytes(DATA)
    return path


def code_of(caught: pytest.ExceptionInfo[WeightsError]) -> str:
    """The code of the error that was caught."""
    return caught.value.code


def test_a_file_is_installed_and_found_again(tmp_path: Path, source: Path) -> None:
    """Copied under its own name, with its full SHA-256 noted beside it; the source stays."""
    folder = tmp_path / "networks"
    done = install("vgg16", folder, source)
    assert done == Installed(folder / f"vgg16-{SHA256[:8]}.pth", SHA256)
    assert done.path.read_bytes() == DATA
    assert find("vgg16", folder) == done
    assert source.exists()
    assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".pth"]


def test_a_wrong_file_is_refused_and_leaves_nothing(tmp_path: Path, source: Path) -> None:
    """Neither the file nor a temporary one, and what was there before stays."""
    folder = tmp_path / "networks"
    install("vgg16", folder, source)
    source.write_bytes(b"something else")
    with pytest.raises(WeightsError) as caught:
        install("vgg16", folder, source)
    assert code_of(caught) == "weights_corrupt"
    assert "downloaded.bin" in caught.value.message
    assert find("vgg16", folder).sha256 == SHA256
    assert len(list(folder.iterdir())) == 2


def test_another_file_is_trusted_by_its_full_sha256(tmp_path: Path, source: Path) -> None:
    """A person vouches for it; from then on it is verified against that."""
    source.write_bytes(b"my own weights")
    digest = hashlib.sha256(b"my own weights").hexdigest()
    installed = install("vgg16", tmp_path / "networks", source, sha256=digest.upper())
    assert find("vgg16", tmp_path / "networks").sha256 == digest
    installed.path.write_bytes(DATA)
    with pytest.raises(WeightsError) as caught:
        find("vgg16", tmp_path / "networks")
    assert code_of(caught) == "weights_corrupt"


def test_absent_weights_are_told_with_the_command(tmp_path: Path) -> None:
    """Both places that were searched are named."""
    with pytest.raises(WeightsError) as caught:
        find("vgg16", tmp_path / "networks")
    assert code_of(caught) == "weights_missing"
    assert str(tmp_path / "networks") in caught.value.message
    assert str(hub_folder()) in caught.value.message
    assert "nstd networks install vgg16" in caught.value.hint
    assert "--from FILE" in caught.value.hint


def test_the_cache_of_torch_is_searched(tmp_path: Path, small_network: Weights) -> None:
    """A file that torchvision downloaded serves, if its digits are right."""
    hub_folder().mkdir(parents=True)
    cached = hub_folder() / small_network.file
    cached.write_bytes(DATA)
    assert find("vgg16", tmp_path / "networks") == Installed(cached, SHA256)
    cached.write_bytes(DATA[:-1])
    with pytest.raises(WeightsError) as caught:
        find("vgg16", tmp_path / "networks")
    assert code_of(caught) == "weights_corrupt"


def test_a_corrupt_file_is_never_passed_over(
    tmp_path: Path, source: Path, small_network: Weights
) -> None:
    """Though a good one lies in the cache, the bad one in the folder is reported."""
    hub_folder().mkdir(parents=True)
    (hub_folder() / small_network.file).write_bytes(DATA)
    install("vgg16", tmp_path, source).path.write_bytes(b"bit rot")
    with pytest.raises(WeightsError) as caught:
        find("vgg16", tmp_path)
    assert code_of(caught) == "weights_corrupt"


@pytest.mark.parametrize("note", ["", "[]", '{"sha256": 5}', '{"sha256": "dc"}', "{}"])
def test_a_broken_note_is_refused(tmp_path: Path, source: Path, note: str) -> None:
    """It does not count as no note."""
    path = install("vgg16", tmp_path, source).path
    path.with_name(path.name + ".json").write_text(note)
    with pytest.raises(WeightsError) as caught:
        find("vgg16", tmp_path)
    assert code_of(caught) == "weights_corrupt"


def test_a_file_put_there_by_hand_is_checked_by_its_name(
    tmp_path: Path, small_network: Weights
) -> None:
    """Without a note the digits in the file name decide."""
    (tmp_path / small_network.file).write_bytes(DATA)
    assert find("vgg16", tmp_path).sha256 == SHA256


def test_torch_home_and_the_cache_folder_are_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TORCH_HOME, else XDG_CACHE_HOME/torch, else ~/.cache/torch."""
    assert hub_folder() == tmp_path / "torch" / "hub" / "checkpoints"
    monkeypatch.delenv("TORCH_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert hub_folder() == tmp_path / "cache" / "torch" / "hub" / "checkpoints"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hub_folder() == tmp_path / ".cache" / "torch" / "hub" / "checkpoints"


def test_a_download_is_watched_and_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_network: Weights
) -> None:
    """The bytes come from the registry's address; progress ends at the whole size."""
    asked: list[str] = []

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        asked.append(url)
        return io.BytesIO(DATA)

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    seen: list[tuple[int, int]] = []
    install("vgg16", tmp_path, watch=lambda done, total: seen.append((done, total)))
    assert asked == [small_network.url]
    assert seen[-1] == (len(DATA), len(DATA))


def test_a_host_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the way around it; nothing is left behind."""

    def urlopen(url: str, timeout: float) -> io.BytesIO:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    with pytest.raises(WeightsError, match="no route") as caught:
        install("vgg16", tmp_path / "networks")
    assert code_of(caught) == "weights_missing"
    assert "--from FILE" in caught.value.hint
    assert list((tmp_path / "networks").iterdir()) == []


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    """The file that was named does not exist."""
    with pytest.raises(WeightsError, match="nowhere"):
        install("vgg16", tmp_path, tmp_path / "nowhere.pth")


def test_an_unknown_network_is_told(tmp_path: Path) -> None:
    """With the names that there are."""
    with pytest.raises(WeightsError, match="alexnet") as caught:
        find("alexnet", tmp_path)
    assert "vgg16" in caught.value.hint


def test_the_listing_has_a_file_or_a_reason(tmp_path: Path, source: Path) -> None:
    """For every network of the registry."""
    ((name, _, before),) = listing(tmp_path)
    assert name == "vgg16"
    assert isinstance(before, WeightsError)
    done = install("vgg16", tmp_path, source)
    assert [found for _, _, found in listing(tmp_path)] == [done]


def test_the_registry_agrees_with_its_file_names() -> None:
    """The digits are those that torchvision put into the names; a package's file needs all."""
    for row in REGISTRY.values():
        if row.package is not None:
            assert len(row.prefix) == 64
            continue
        assert row.file.endswith(f"-{row.prefix}.pth")
        assert row.url.startswith("https://")


def test_the_module_needs_no_torch() -> None:
    """The command line lists networks without it."""
    code = "import sys, nstd.backends.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
