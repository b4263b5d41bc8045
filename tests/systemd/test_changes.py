"""What changes an installed service: another version, drop-ins, limits, and its end."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator

import pytest
from support.playground import wait_for
from support.plugins import install

from systemd.guest import ROOT, SOURCE
from systemd.page import block_with, blocks, documents
from systemd.service import DROP_INS, LONG, MARKS, NSTD, PICTURE, SHORT, Service

pytestmark = MARKS

OLD = "915f8fa"
"""A version before this one: the last whose modules did not lie in packages yet."""


def old_source() -> bytes:
    """The tree of the old version, as a tar; skips where the history is not at hand."""
    done = subprocess.run(["git", "archive", OLD], cwd=ROOT, capture_output=True)
    if done.returncode:
        pytest.skip(f"needs the history of git, back to {OLD}")
    return done.stdout


@pytest.fixture
def lonely(debian: int) -> Iterator[Service]:
    """nstd installed in a guest that no other test uses."""
    service = Service.installed(debian)
    service.reset(hurry=True)
    yield service
    service.guest.close()


def remains(service: Service) -> str:
    """Files of the guest that are called after nstd or belong to a user who is gone."""
    places = "/etc /opt/nstd /run /srv /usr/local /var -xdev"
    left = "'(' -name '*nstd*' -o -nouser -o -nogroup ')'"
    return service.run(f"find {places} {left} -print 2> /dev/null", check=False)


@pytest.mark.slow
def test_an_upgrade_goes_on_with_what_ran_and_waited(debian: int) -> None:
    """From a version of before, by the commands of the page."""
    old = old_source()
    service = Service(debian)
    try:
        source = service.guest.root / SOURCE.lstrip("/")
        shutil.move(source, source.with_name("new"))
        with tarfile.open(fileobj=io.BytesIO(old)) as tar:
            tar.extractall(source, filter="data")
        service.install()
        service.reset(hurry=True)
        service.in_the_middle("running")
        service.submit("waiting", **SHORT)
        wait_for(lambda: service.events("job.claimed", name="waiting"), 60)
        service.guest.write("/srv/nstd/inbox/later.yaml", "content: later.jpg\nstyle: later.jpg\n")
        process = service.show("MainPID")
        shutil.rmtree(source)
        shutil.move(source.with_name("new"), source)
        for line in block_with("--upgrade ."):
            service.run(line)
        assert service.show("MainPID") != process
        assert service.let_end("running")["attempt"] == 1
        service.finished("waiting")
        assert (service.folder / "inbox" / "later.yaml").exists()
        service.submit("hers", **LONG)
        wait_for(lambda: service.events("job.started", name="hers"), 60)
        service.run(f"{NSTD} cancel hers -c /srv/nstd", user="alice")
        wait_for(lambda: service.events("job.failed", name="hers"), 60)
    finally:
        service.guest.close()


@pytest.mark.slow
def test_nothing_is_left_of_what_was_uninstalled(lonely: Service) -> None:
    """By the commands of the page, with a job in the middle."""
    lonely.in_the_middle("running")
    for line in block_with("userdel nstd"):
        lonely.run(line)
    assert remains(lonely) == ""
    assert "nstd" not in lonely.run("cat /etc/passwd /etc/group")
    assert "nstd" not in lonely.run("systemctl list-unit-files; systemctl --failed")


TELL = """#!/bin/bash
exec 3<>/dev/tcp/10.0.0.1/5000 && echo "$NSTD_NAME" >&3
"""


@pytest.mark.slow  # needs a kernel that lets a unit open what it has closed: not every sandbox has
def test_a_hook_reaches_the_network_only_when_the_unit_lets_it(service: Service) -> None:
    """Beside cpu-only.conf, as the page on hooks says; a server listens in the same guest."""
    settings = block_with("IPAddressDeny=", "ini")
    service.guest.write("/opt/tell.sh", TELL, 0o755)
    service.run("ip address replace 10.0.0.1/8 dev lo")
    service.run("systemd-run --unit=server python3 -m http.server --bind 10.0.0.1 5000")
    service.configure(hooks={"on_success": ["/opt/tell.sh"]})
    service.run("systemctl reload nstd")
    try:
        service.submit("silent", **SHORT)
        job = service.finished("silent")["job"]
        wait_for(lambda: service.events("hook.failed", job=job), 60)
        service.drop_in("override", "\n".join([*settings, ""]))
        service.run("systemctl restart nstd")
        service.submit("heard", **SHORT)
        job = service.finished("heard")["job"]
        wait_for(lambda: service.events("hook.finished", job=job), 60)
    finally:
        service.drop_in("override", "")
        service.run("systemctl stop server; systemctl reset-failed server", check=False)


HOG = """
import time
from pydantic import BaseModel

class Nothing(BaseModel):
    pass

class Hog:
    name, size, Options = "hog", None, Nothing

    def run(self, task, report):
        taken = []
        while True:
            taken.append(b"x" * 2**24)
            time.sleep(0.01)
"""
"""A backend that takes all the memory there is."""


@pytest.mark.slow
def test_a_worker_that_takes_too_much_memory_costs_its_job_and_not_the_daemon(debian: int) -> None:
    """`MemoryMax=` in a drop-in: the kernel ends the worker, and others are tried as often."""
    service = Service.installed(debian, memory=True)
    try:
        install(service.site, "hog", HOG, attribute="Hog")
        service.reset(hurry=True)
        service.drop_in("override", "[Service]\nMemoryMax=400M\n")
        service.configure(jobs={"attempts": 2, "backoff": "1s"})
        service.run("systemctl restart nstd")
        if service.guest.memory_limit("nstd.service") > 2**30:
            pytest.skip("this machine hands no memory controller to the guest")
        process = service.show("MainPID")
        service.submit("large", backend="hog")
        end = wait_for(lambda: service.events("job.failed", name="large"), 120, "its end")[0]
        assert (end["code"], end["attempt"]) == ("worker_died", 2)
        service.submit("small", **SHORT)
        service.finished("small")
        assert service.show("MainPID") == process
        assert service.is_up()
    finally:
        service.guest.close()


RAY = "#!/opt/nstd/bin/python3\nfrom ray.scripts.scripts import main\nmain()\n"
"""What pip lays down as /opt/nstd/bin/ray, where it installs the package into the folder."""


EAGER = "[Service]\nNice=0\nEnvironment=RAY_worker_niceness=0\n"
"""A node whose workers are as nice as all others: Ray's own would wait long on a busy machine."""


def be_a_head(service: Service) -> None:
    """The first machine of the page on clusters, without a GPU, by its commands in their order."""
    service.guest.write("/opt/nstd/bin/ray", RAY, 0o755)
    service.guest.write("/etc/systemd/system/nstd-ray-node.service.d/hurry.conf", EAGER)
    service.run("ip address replace 10.0.0.1/8 dev lo")
    (head,) = block_with("RAY_NODE=--head", "ini")
    doctor = f"sudo -u nstd {NSTD} doctor -c /srv/nstd/config.yaml"
    (page,) = [each for each in documents() if "RAY_NODE=--head" in each.read_text()]
    told = [line for block in blocks(page) for line in block.splitlines()]
    for line in [line for line in told[2:] if line.startswith("sudo ")]:  # 2: of other machines
        if "enable --now nstd-ray-node" in line:
            service.guest.write("/etc/nstd-ray.conf", head + "\n")
        if "restart nstd" in line:
            executor = {"kind": "ray", "address": "10.0.0.1:6379", "num_gpus": 0, "num_cpus": 1}
            service.configure(executor=executor)
            wait_for(lambda: service.attempt(doctor)[0] == 0, 180, "the doctor to find the head", 2)
        service.attempt(line, timeout=200)
    # A start that does not reach the head in time is repeated by systemd, as ray.conf wants it.
    wait_for(service.is_up, 300, "the daemon on its cluster", 2)


@pytest.mark.slow
def test_jobs_run_on_a_real_ray_head_in_its_unit(lonely: Service) -> None:
    """With all drop-ins at once; the head is lost in the middle of a job, and comes back."""
    pytest.importorskip("ray")
    be_a_head(lonely)
    assert lonely.run(f"ls {DROP_INS}").split() == ["cpu-only.conf", "hurry.conf", "ray.conf"]
    lonely.submit("far", **PICTURE)
    assert lonely.finished("far")["device"].startswith("studio1/")
    lonely.submit("kept", **(LONG | {"options.steps": 150}))
    wait_for(lambda: lonely.events("job.started", name="kept"), 60)
    lonely.run("systemctl restart nstd-ray-node")
    assert lonely.finished("kept", 300)["attempt"] == 1
    assert lonely.is_up()
