"""The file for Prometheus, and the alert rules and the dashboard that are made for it."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from support.playground import Playground, wait_for

import nstd
from nstd.logs.events import EVENTS

MONITORING = Path(nstd.__file__).parent / "monitoring"
ALERTS, DASHBOARD = MONITORING / "alerts.yml", MONITORING / "dashboard.json"
needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="needs promtool, of Debian's package prometheus"
)
FILE = "metrics/nstd.prom"


@pytest.fixture
def measured(playground: Playground) -> Playground:
    """A playground whose daemon writes metrics every second."""
    playground.configure(metrics={"file": FILE, "every": "1s"})
    return playground


def samples(playground: Playground) -> dict[str, dict[tuple[str, ...], float]]:
    """What the file says: values by the values of the labels, by name."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families((playground.root / FILE).read_text()):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[labels] = sample.value
    return found


def test_the_file_tells_what_became_of_the_jobs(measured: Playground) -> None:
    """By outcome and code, with the seconds of their phases; in the end, that we are down."""
    for number in range(3):
        measured.pair(f"beach-{number}")
    measured.pair("pier", options={"act": "raise"})
    assert measured.once().returncode == 0
    found = samples(measured)
    ended = found["nstd_jobs_ended_total"]
    assert ended["", "finished"] == 3
    assert ended["backend_failed", "failed"] == 1
    assert sum(ended.values()) == 4
    phases = found["nstd_phase_seconds_count"]
    assert phases["total",] == phases["queued",] == 3
    lines = measured.events("job.finished")
    total = sum(line["seconds"]["total"] for line in lines)
    assert found["nstd_phase_seconds_sum"]["total",] == pytest.approx(total)
    assert found["nstd_events_total"]["job.failed", "error"] == 1
    assert found["nstd_up"][()] == 0
    assert found["nstd_device_up"]["cpu",] == 1
    free = shutil.disk_usage(measured.root).free
    assert found["nstd_disk_free_bytes"]["outbox",] == pytest.approx(free, rel=0.2)
    assert [path.name for path in (measured.root / "metrics").iterdir()] == ["nstd.prom"]


def test_the_file_tells_how_things_stand(measured: Playground) -> None:
    """What runs, what waits, how old the oldest is; whole at every moment."""
    measured.pair("beach", options={"steps": 5000, "pause": 0.02})
    measured.pair("pier")
    process = measured.start()

    def is_so() -> bool:
        found = samples(measured)  # parses whatever is there, again and again
        states = found["nstd_jobs"]
        return states.get(("running",)) == 1 == states.get(("waiting",))

    wait_for(lambda: (measured.root / FILE).exists() and is_so())
    found = samples(measured)
    assert found["nstd_up"][()] == 1
    assert found["nstd_oldest_job_age_seconds"][()] > 0
    assert found["nstd_device_running"]["cpu",] == found["nstd_device_slots"]["cpu",] == 1
    assert found["nstd_jobs"]["inbox",] == 0
    assert measured.stop(process) == 0
    assert samples(measured)["nstd_up"][()] == 0


def test_a_file_that_cannot_be_written_harms_nothing(playground: Playground) -> None:
    """It is told once, and the pictures are made."""
    (playground.root / "metrics").write_text("in the way")
    playground.configure(metrics={"file": FILE, "every": "1s"})
    playground.pair("beach", options={"steps": 30, "pause": 0.1})
    assert playground.once().returncode == 0
    (line,) = playground.events("disk.failed")
    assert "metrics" in line["path"]
    assert len(playground.events("job.finished")) == 1


def test_without_the_library_the_config_is_refused_and_else_it_is_not_loaded(
    playground: Playground,
) -> None:
    """An extra: nobody pays for it who has not asked."""
    playground.sabotage("import sys\nsys.modules['prometheus_client'] = None\n")
    playground.pair("beach")
    assert playground.once().returncode == 0
    playground.configure(metrics={"file": FILE})
    done = playground.once()
    assert done.returncode == 3
    assert "pip install 'nstd[metrics]'" in done.stderr


def test_a_name_that_node_exporter_would_pass_over_is_refused(playground: Playground) -> None:
    """It reads *.prom alone."""
    playground.configure(metrics={"file": "metrics/nstd.txt"})
    done = playground.once()
    assert done.returncode == 3
    assert "ends in .prom" in done.stderr


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_file(measured: Playground) -> None:
    """Neither with its format nor with the names."""
    measured.pair("beach")
    measured.once()
    text = (measured.root / FILE).read_text()
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# The rules and the dashboard


def alert_rules() -> list[dict[str, Any]]:
    """The alert rules."""
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def panels() -> list[dict[str, Any]]:
    """The panels of the dashboard."""
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> Iterator[str]:
    """Everything that the rules and the panels ask for."""
    yield from (rule["expr"] for rule in alert_rules())
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def test_rules_and_panels_ask_for_what_there_is(measured: Playground) -> None:
    """Names, labels' values and events that the daemon really writes."""
    measured.pair("beach")
    measured.once()
    found = samples(measured)
    for expression in expressions():
        names = re.findall(r"\bnstd_\w+", expression)
        assert names
        assert set(names) <= set(found), expression
        for events in re.findall(r'event=~"([^"]+)"', expression):
            assert set(events.split("|")) <= set(EVENTS)
        for codes in re.findall(r'code=~"([^"]+)"', expression):
            known = {code for code, _ in found["nstd_jobs_ended_total"]}
            assert set(codes.split("|")) <= known
        for states in re.findall(r'state=~"([^"]+)"', expression):
            assert {(state,) for state in states.split("|")} <= set(found["nstd_jobs"])


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    """With a severity by which it can be routed."""
    names = [rule["alert"] for rule in alert_rules()]
    assert len(set(names)) == len(names)
    for rule in alert_rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "action"}


def test_the_dashboard_has_the_shape_that_grafana_imports() -> None:
    """Panels with ids of their own that do not overlap, and a data source that can be chosen."""
    dashboard = json.loads(DASHBOARD.read_text())
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time"} <= set(dashboard)
    assert "datasource" in {each["name"] for each in dashboard["templating"]["list"]}
    assert len({panel["id"] for panel in panels()}) == len(panels())
    cells: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        own = set(
            itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"]))
        )
        assert not own & cells
        assert at["x"] + at["w"] <= 24
        cells |= own
        assert panel["datasource"]["uid"] == "${datasource}"


@needs_promtool
def test_promtool_takes_the_rules_and_every_expression(tmp_path: Path) -> None:
    """The rules as they are, and those of the panels as recording rules."""
    records = [
        {"record": f"r:{number}", "expr": expression.replace("$instance", ".*")}
        for number, expression in enumerate(expressions())
    ]
    panel_rules = tmp_path / "panels.yml"
    panel_rules.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": records}]}))
    for path in (ALERTS, panel_rules):
        done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


SCENES: list[tuple[str, dict[str, str]]] = [
    ("NstdDown", {'nstd_up{instance="a"}': "0x30"}),
    ("NstdDown", {'node_textfile_mtime_seconds{instance="a",file="/m/nstd.prom"}': "0x30"}),
    ("NstdAllDevicesDown", {f'nstd_device_up{{instance="a",device="{n}"}}': "0x30" for n in "01"}),
    ("NstdDeviceDown", {'nstd_device_up{instance="a",device="0"}': "0x30"}),
    ("NstdInboxLost", {'nstd_inbox_lost{instance="a"}': "1x30"}),
    ("NstdIntakePaused", {'nstd_intake_paused{instance="a"}': "1x30"}),
    ("NstdDiskNearlyFull", {'nstd_disk_free_bytes{instance="a",folder="work"}': "1000000x30"}),
    ("NstdBacklog", {'nstd_oldest_job_age_seconds{instance="a"}': "90000x30"}),
    ("NstdRestarts", {'nstd_start_time_seconds{instance="a"}': "0+60x30"}),
    (
        "NstdStuck",
        {
            'nstd_jobs{instance="a",state="waiting"}': "4x30",
            'nstd_jobs_ended_total{instance="a",outcome="finished",code=""}': "9x30",
        },
    ),
    ("NstdPauseForgotten", {'nstd_starts_paused{instance="a",cause="person"}': "1x30"}),
    (
        "NstdServiceFails",
        {'nstd_jobs_ended_total{instance="a",outcome="failed",code="worker_died"}': "0+1x30"},
    ),
    ("NstdErrors", {'nstd_events_total{instance="a",event="disk.full",level="error"}': "0+1x30"}),
]
FINE = {
    'nstd_up{instance="a"}': "1x30",
    'nstd_device_up{instance="a",device="0"}': "1x30",
    'nstd_jobs{instance="a",state="waiting"}': "4x30",
    'nstd_jobs_ended_total{instance="a",outcome="finished",code=""}': "0+1x30",
    'nstd_jobs_ended_total{instance="a",outcome="failed",code="sidecar_invalid"}': "0+1x30",
    'nstd_disk_free_bytes{instance="a",folder="work"}': "50000000000x30",
    'nstd_start_time_seconds{instance="a"}': "7x30",
    'nstd_inbox_lost{instance="a"}': "0x30",
    'nstd_starts_paused{instance="a",cause="person"}': "0x30",
}
OLD: dict[str, str] = {
    'nstd_jobs{instance="a",state="waiting"}': "4x30",
    'nstd_jobs_ended_total{instance="a",outcome="finished",code=""}': "9x30",
    'nstd_oldest_job_age_seconds{instance="a"}': "90000x30",
}
"""Jobs that wait for days, while none ends."""


def firing(folder: Path, series: dict[str, str], names: Iterable[str] = ()) -> set[str]:
    """Those of the alerts `names`, or of all, that promtool sees fire after half an hour."""
    fired = set()
    for name in names or sorted({rule["alert"] for rule in alert_rules()}):
        test = {
            "interval": "1m",
            "input_series": [{"series": k, "values": v} for k, v in series.items()],
            "alert_rule_test": [{"eval_time": "29m", "alertname": name, "exp_alerts": []}],
        }
        path = folder / "test.yml"
        path.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "tests": [test]}))
        done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True)
        if done.returncode:
            assert "alertname" in done.stderr + done.stdout, done.stderr
            fired.add(name)
    return fired


@needs_promtool
@pytest.mark.parametrize(("alert", "series"), SCENES, ids=[f"{n}" for n, _ in SCENES])
def test_each_alert_fires_when_it_should(
    tmp_path: Path, alert: str, series: dict[str, str]
) -> None:
    """And not while all is well, which the last test shows."""
    assert firing(tmp_path, series, [alert]) == {alert}


@needs_promtool
def test_nothing_fires_while_all_is_well(tmp_path: Path) -> None:
    """Wrong sidecars are no alert."""
    assert {name for name, _ in SCENES} == {rule["alert"] for rule in alert_rules()}
    assert firing(tmp_path, FINE) == set()


@needs_promtool
@pytest.mark.parametrize("cause", ["person", "schedule"])
def test_jobs_that_wait_because_nothing_may_start_are_no_alert(tmp_path: Path, cause: str) -> None:
    """A person wants that, or the schedule; that it is not forgotten is an alert of its own."""
    assert firing(tmp_path, OLD) == {"NstdStuck", "NstdBacklog"}
    quiet = {f'nstd_starts_paused{{instance="a",cause="{cause}"}}': "0+1x1 1x28"}
    assert firing(tmp_path, OLD | quiet) == set()
