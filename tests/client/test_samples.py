"""The sample pairs: they decode, they can be drawn again, and they arrive in the right order."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest
import yaml
from making.samples.draw import DRAWINGS, draw

from nstd.client import samples
from nstd.documents.sidecar import Sidecar
from nstd.images.decode import load_image

PICTURES = sorted({name for pair in samples.PAIRS.values() for name in pair})


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_ship_in_the_package(name: str) -> None:
    """Each sample is a 640 x 480 picture in under 150 kB with a good range of light and dark."""
    with as_file(files(samples) / name) as path:
        picture = load_image(path, max_pixels=10**6, max_bytes=150_000)
    assert picture.size == (640, 480)
    assert picture.pixels.std() > 0.15


def test_together_they_are_small() -> None:
    """All samples together take less than 500 kB."""
    assert sum(len((files(samples) / name).read_bytes()) for name in PICTURES) < 500_000


def test_every_sample_has_its_drawing() -> None:
    """The pictures of the pairs are those that `draw` knows."""
    assert sorted(DRAWINGS) == PICTURES


@pytest.mark.slow
@pytest.mark.parametrize("name", PICTURES)
def test_drawing_again_gives_the_same_bytes(name: str, tmp_path: Path) -> None:
    """Nothing is random but for fixed seeds."""
    draw(name, tmp_path)
    assert (tmp_path / name).read_bytes() == (files(samples) / name).read_bytes()


def test_copy_to_drops_pairs_that_are_whole(tmp_path: Path) -> None:
    """Every sidecar is valid and names pictures that lie beside it; nothing temporary is left."""
    sidecars = samples.copy_to(tmp_path)
    assert [path.stem for path in sidecars] == list(samples.PAIRS)
    for path in sidecars:
        sidecar = Sidecar.model_validate(yaml.safe_load(path.read_text()))
        assert sidecar.pictures == list(samples.PAIRS[path.stem])
        assert all((tmp_path / name).stat().st_size > 10_000 for name in sidecar.pictures)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(
        [*PICTURES, *(path.name for path in sidecars)]
    )


def test_sidecars_come_last_and_by_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever watches sees each file appear whole, hidden before, and all pictures first."""
    appeared: list[str] = []
    rename = Path.replace

    def watched(self: Path, target: Path) -> Path:
        assert self.name.startswith(".") and self.name.endswith(".tmp")
        appeared.append(target.suffix)
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    samples.copy_to(tmp_path)
    assert appeared == [".jpg"] * len(PICTURES) + [".yaml"] * len(samples.PAIRS)


def test_copying_twice_is_fine(tmp_path: Path) -> None:
    """A second demo in the same folder drops the same pairs again."""
    assert samples.copy_to(tmp_path) == samples.copy_to(tmp_path)


def test_importing_the_samples_is_light() -> None:
    """The daemon's side imports neither numpy nor Pillow to copy the samples."""
    code = "import sys, nstd.client.samples; print({'numpy', 'PIL', 'torch'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
