"""The config: reading it, refusing it, and the commented file that says all of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support import CHECKOUT

from nstd.documents.config import Config, find_config, load_config
from nstd.documents.template import WIDTH, config_template
from nstd.errors import ConfigError

EXAMPLE = CHECKOUT / "config.example.yaml"


def written(folder: Path, text: str) -> Path:
    """A config file in `folder` with `text` in it."""
    path = folder / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def complaints(path: Path, overrides: dict[str, Any] | None = None) -> list[str]:
    """The lines of the error for which the config is refused, without its folder."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    assert caught.value.code == "config_invalid"
    return [line.replace(f"{path.parent}/", "") for line in caught.value.message.splitlines()]


def test_the_example_is_the_template_to_the_letter() -> None:
    """The file in the repository is what `nstd init` writes; regenerate it when this fails."""
    assert EXAMPLE.read_text(encoding="utf-8") == config_template()


def test_the_template_says_every_default(tmp_path: Path) -> None:
    """The template reads back as the defaults, and names every setting with a comment."""
    text = config_template()
    config = load_config(written(tmp_path, text))
    assert config.model_dump() == Config().model_dump()
    for name, field in Config.model_fields.items():
        assert f"\n{name}:" in text
        for key, setting in getattr(field.annotation, "model_fields", {}).items():
            assert f"\n  {key}: " in text
            assert setting.description.split()[0] in text


def test_the_template_is_narrow_and_tidy() -> None:
    """No line is too wide for a terminal, none ends in a space, and the last one ends."""
    lines = config_template().split("\n")
    assert all(len(line) <= WIDTH and line == line.rstrip() for line in lines)
    assert lines[-1] == ""
    assert lines[-2]


def test_durations_and_sizes_are_written_for_people() -> None:
    """The template says 2h and 512MiB, not 7200.0 and 536870912."""
    text = config_template()
    assert "  timeout: 2h " in text
    assert "  picture_bytes: 512MiB " in text


def test_folders_start_at_the_file(tmp_path: Path) -> None:
    """Relative folders lie beside the config; absolute ones and ~ lie where they say."""
    path = written(tmp_path, "folders: {inbox: in/box, work: /var/work, outbox: ~/out}\n")
    config = load_config(path)
    assert config.root == tmp_path.resolve()
    assert config.folder("inbox") == tmp_path.resolve() / "in/box"
    assert config.folder("work") == Path("/var/work")
    assert config.folder("outbox") == Path.home() / "out"
    assert config.folder("styles") == tmp_path.resolve() / "styles"


def test_a_section_without_lines_keeps_its_defaults(tmp_path: Path) -> None:
    """A section whose lines are all commented out is not an error."""
    path = written(tmp_path, "watch:\n#  mode: poll\ndevices:\njobs: {format: jpg}\n")
    assert load_config(path).model_dump() == Config(jobs={"format": "jpg"}).model_dump()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("wacth: {}", "1:1: unknown key 'wacth'; did you mean 'watch'?"),
        ("settle: 5s", "1:1: unknown key 'settle'; it goes under watch: `watch: {settle: ...}`"),
        ("watch:\n  setle: 5s", "2:3: unknown key 'setle'; did you mean 'settle'?"),
        ("watch: {mode: pol}", "1:15: mode: expected 'auto', 'events' or 'poll', got 'pol'; did"),
        ("watch: {rescan: 0s}", "1:17: rescan: expected more than 0, got '0s'"),
        ("watch: 5", "1:8: watch: expected a mapping of keys to values, got 5"),
        ("limits: {min_free: lots}", "1:20: min_free: not a size: 'lots'; write it like 500kB"),
        ("limits: {min_free: 5e9}", "1:20: min_free: expected a whole number, got 5000000000.0"),
        ("workers: {exit_when_all_down: yes}", "1:31: exit_when_all_down: expected true or false"),
        ("devices: 5", "1:10: devices: expected 'auto' or a list, got 5"),
        ("devices: []", "1:10: devices: expected at least 1 in the list, got 0"),
        ("devices: gpu", "1:10: devices: expected cpu, cuda:N or xpu:N, such as cuda:0, got 'gpu'"),
        ("devices: [cpu, cuda:x]", "1:16: devices: expected cpu, cuda:N or xpu:N, such as"),
        ("devices: [cpu, auto]", "1:16: devices: expected cpu, cuda:N or xpu:N, such as"),
        ("devices: [cpu, cuda:1, cpu]", "1:10: devices: cpu stands twice in the list"),
        ("slots: {gpu: 1}", "1:9: slots: expected cpu, cuda:N or xpu:N, such as cuda:0, got 'gpu'"),
        ("slots: {cpu: 0}", "1:14: cpu: expected at least 1, got 0"),
        ("slots: {cuda:1: 65}", "1:17: cuda:1: expected at most 64, got 65"),
        ("backends: {gatys: fine}", "1:19: gatys: expected a mapping of keys to values"),
        ("folders: {work: ''}", "1:17: work: expected the name of a folder, got ''"),
        ("folders: {work: ./outbox}", "1:17: outbox: the same folder as work"),
        ("folders: {work: inbox/work}", "1:17: work: lies inside inbox"),
        ("folders: {inbox: .}", "1:18: inbox: expected the name of a folder, got '.'"),
        ("folders: {inbox: ../other, outbox: ../other/out}", "1:36: outbox: lies inside inbox"),
        ("retention: {results: 59m}", "1:22: results: expected at least 1h, got '59m'"),
        ("retention: {failures: old}", "1:23: failures: not a duration: 'old'; write it like 90s"),
        ("retention: {size: big}", "1:19: size: not a size: 'big'; write it like 500kB"),
        ("retention: {move_to: outbox/old}", "1:22: move_to: lies inside outbox or contains it"),
        ("retention: {move_to: ..}", "1:22: move_to: lies inside inbox or contains it"),
        ("folders: {inbox: &a x}", "1:18: anchor &a is refused"),
        ("", "1:1: the file is empty"),
    ],
)
def test_each_mistake_has_its_place_and_its_cure(tmp_path: Path, text: str, complaint: str) -> None:
    """A wrong config is refused with file, line, column and what to write instead."""
    (only,) = complaints(written(tmp_path, text))
    assert only.startswith(f"config.yaml:{complaint}")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    """A person corrects the file once."""
    lines = complaints(written(tmp_path, "jobs:\n  attempts: 0\n  bakcend: x\nlog: {keep: few}\n"))
    assert [line.split(": ")[0] for line in lines] == [
        "config.yaml:2:13",
        "config.yaml:3:3",
        "config.yaml:4:13",
    ]


@pytest.mark.parametrize(
    ("text", "devices"),
    [("auto", "auto"), ("cpu", ["cpu"]), ("[cuda:0, cuda:12, cpu]", ["cuda:0", "cuda:12", "cpu"])],
)
def test_devices_have_a_short_form(tmp_path: Path, text: str, devices: object) -> None:
    """One device needs no list."""
    assert load_config(written(tmp_path, f"devices: {text}\n")).devices == devices


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    """Dotted keys replace single settings and leave their neighbours."""
    path = written(tmp_path, "watch: {mode: events, settle: 1s}\n")
    config = load_config(path, {"watch.mode": "poll", "log.console": "none"})
    assert (config.watch.mode, config.watch.settle) == ("poll", 1)
    assert config.log.console == "none"


def test_a_wrong_override_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """What the command line says is told as the command line's."""
    path = written(tmp_path, "watch: {mode: events}\n")
    assert complaints(path, {"watch.mode": "pol", "log.lvel": "info"}) == [
        "command line: mode: expected 'auto', 'events' or 'poll', got 'pol'; did you mean 'poll'?",
        "command line: unknown key 'lvel'; did you mean 'level'?",
    ]


def test_an_override_does_not_hide_a_broken_file(tmp_path: Path) -> None:
    """The file must be right by itself."""
    path = written(tmp_path, "watch: {mode: pol}\n")
    assert complaints(path, {"watch.mode": "poll"})[0].startswith("config.yaml:1:15: mode:")


def test_folders_that_meet_through_a_link_are_found(tmp_path: Path) -> None:
    """Two names of one folder are one folder."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "work").symlink_to("inbox")
    assert complaints(written(tmp_path, "jobs: {}\n")) == [
        "config.yaml:1:1: work: the same folder as inbox"
    ]


def test_a_loop_of_links_is_no_reason_to_fall_over(tmp_path: Path) -> None:
    """Whether a folder can be used is the doctor's question; the config can still be read."""
    (tmp_path / "work").symlink_to("work")
    assert load_config(written(tmp_path, "jobs: {}\n")).folder("work").name == "work"


def test_a_file_that_cannot_be_read_is_a_config_error(tmp_path: Path) -> None:
    """An absent file is told as such, its name made printable."""
    with pytest.raises(ConfigError, match=r"no\\nfile: No such file") as caught:
        load_config(tmp_path / "no\nfile")
    assert caught.value.code == "config_invalid"


def test_a_large_file_is_not_read_whole(tmp_path: Path) -> None:
    """A file of a gigabyte is refused by its first 64 KiB."""
    path = tmp_path / "config.yaml"
    path.touch()
    os.truncate(path, 2**30)
    assert complaints(path) == ["config.yaml:1:1: longer than 64 KiB"]


def test_the_config_is_found_by_option_variable_or_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-c` comes before NSTD_CONFIG, which comes before ./config.yaml; a folder will do."""
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        written(folder, "jobs: {}\n")
    monkeypatch.chdir(first)
    monkeypatch.delenv("NSTD_CONFIG", raising=False)
    assert find_config(None) == first.resolve() / "config.yaml"
    monkeypatch.setenv("NSTD_CONFIG", str(second))
    assert find_config(None) == second.resolve() / "config.yaml"
    assert find_config(first / "config.yaml") == first.resolve() / "config.yaml"
    with pytest.raises(ConfigError, match="no such config file"):
        find_config(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ("num_gpus: 1.5", "num_gpus: give a fraction of 1, or a whole number"),
        ("num_gpus: .inf", "num_gpus: "),
        ("num_cpus: 0.00001", "num_cpus: give at most four decimals"),
        ("resources: {nstd: 0.00001}", "nstd: give at most four decimals"),
    ],
)
def test_what_ray_cannot_count_is_refused(tmp_path: Path, said: str, complaint: str) -> None:
    """Before it would end each of its jobs as a cluster that is lost."""
    (told,) = complaints(written(tmp_path, f"executor: {{kind: ray, {said}}}\n"))
    assert complaint in told


def test_a_share_of_a_gpu_or_several_are_fine(tmp_path: Path) -> None:
    """As Ray has them."""
    for amount in (0, 0.25, 1, 2):
        said = f"executor: {{kind: ray, num_gpus: {amount}, num_cpus: 1.5}}\n"
        assert load_config(written(tmp_path, said)).executor.num_gpus == amount
