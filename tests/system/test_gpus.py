"""The GPUs that the kernel shows, by the files of machines that are not here."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.machines import amd, intel

from nstd.system.gpus import amd_gpus, intel_gpus


def test_a_machine_without_them_has_none(tmp_path: Path) -> None:
    """Also one whose driver shows only the processor."""
    assert amd_gpus(tmp_path) == intel_gpus(tmp_path) == []
    assert amd_gpus(amd(tmp_path)) == []


def test_amd_s_are_named_by_their_instructions(tmp_path: Path) -> None:
    """As ROCm calls them; each needs the common file and its own."""
    found = amd_gpus(amd(tmp_path, 90010, 110000, 120001))
    assert [gpu.model for gpu in found] == ["gfx90a", "gfx1100", "gfx1201"]
    assert found[1].files == (tmp_path / "dev/kfd", tmp_path / "dev/dri/renderD129")
    assert not any(gpu.closed for gpu in found)


def test_intel_s_are_those_of_its_drivers(tmp_path: Path) -> None:
    """The render node of another maker is none."""
    found = intel_gpus(intel(tmp_path, xe="0xe20b", amdgpu="0x744c", i915="0x56a0"))
    assert [gpu.model for gpu in found] == ["xe 0xe20b", "i915 0x56a0"]
    assert found[1].files == (tmp_path / "dev/dri/renderD130",)


@pytest.mark.parametrize("name", ["dev/kfd", "dev/dri/renderD128"])
def test_files_that_are_hidden_from_a_service_are_closed(tmp_path: Path, name: str) -> None:
    """/sys still shows a GPU where /dev does not."""
    system = amd(tmp_path, 110000)
    (tmp_path / name).unlink()
    assert amd_gpus(system)[0].closed == [tmp_path / name]
