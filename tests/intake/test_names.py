"""Which names of a drop folder are nobody's business."""

from __future__ import annotations

from support.tables import table

from nstd.intake.names import is_ignored, is_sidecar

IGNORED = """
.hidden .DS_Store ._beach.jpg .nfs000000000012 .beach.yaml.x8Fq2a .syncthing.beach.jpg.tmp
.goutputstream-X1Y2Z3 .stfolder ~syncthing~beach.jpg.tmp ~$beach.yaml beach.yaml~ #beach.yaml#
beach.jpg.part beach.jpg.partial beach.jpg.crdownload beach.jpg.download beach.jpg.opdownload
beach.jpg.filepart beach.jpg.tmp beach.yaml.swp beach.yaml.bak beach.yaml.TMP
beach.yaml.sb-1a2b3c4d-AbCdEf beach.sync-conflict-20260101-120000-ABCDEFG.yaml
Thumbs.db desktop.ini @eaDir #recycle $RECYCLE.BIN lost+found
"""
WANTED = """
beach.jpg beach.yaml Beach.YML tmp.yaml part.jpg a.part.jpg #1.jpg $5.jpg download.png
été.yaml beach-2.yaml a~b.jpg bak.yaml
"""


@table("name", [*IGNORED.split(), "beach (conflicted copy 2026-01-01).yaml", "..", ".\n"])
def test_hidden_temporary_and_partial_names_are_ignored(name: str) -> None:
    """Browsers, editors, rsync, Syncthing, macOS, Windows and NAS boxes leave these."""
    assert is_ignored(name)
    assert not is_sidecar(name)


@table("name", [*WANTED.split(), "two\nlines.yaml", "\udcff.yaml"])
def test_names_that_people_give_are_not_ignored(name: str) -> None:
    """Even odd ones."""
    assert not is_ignored(name)


@table("name", ["a.yaml", "a.yml", "A.YAML", "a.b.Yml", "two\nlines.yaml"])
def test_a_sidecar_is_known_by_its_ending(name: str) -> None:
    """`.yaml` and `.yml`, however they are written."""
    assert is_sidecar(name)


@table("name", ["yaml", "a.yamlx", "a.json", ".yaml", "a.yaml.part"])
def test_other_endings_are_no_sidecars(name: str) -> None:
    """Neither is a name that is only an ending."""
    assert not is_sidecar(name)
