"""The service in a fresh Debian: as its page installs it, and through all that may happen to it."""

from __future__ import annotations

import re

from support.playground import wait_for

from systemd.page import block_with
from systemd.service import INSTALL, LONG, MARKS, NSTD, PICTURE, SHORT, Service

pytestmark = MARKS
INBOX = "/srv/nstd/inbox"


def test_the_commands_of_the_page_install_it(service: Service) -> None:
    """Each of them, in order; the doctor has nothing to say and nothing complains."""
    assert [line for line, _ in service.log][:-1] == block_with(INSTALL)
    printed = dict(service.log)
    (doctor,) = [text for line, text in printed.items() if " doctor " in line]
    assert "FAIL" not in doctor
    assert "warn" not in doctor
    assert service.is_up()
    assert service.show("UnitFileState") == "enabled"
    assert service.run("systemctl --failed --plain --no-legend list-units 'nstd*'") == ""
    assert "nstd" in service.run("id -nG alice").split()


def test_systemd_waits_until_it_is_ready(service: Service) -> None:
    """Whoever starts it may hand in at once; `systemctl status` says what it does."""
    before = len(service.events("daemon.started"))
    service.run("systemctl restart nstd")
    assert len(service.events("daemon.started")) == before + 1
    said = service.show("StatusText")  # a job that waited for the start may have run since
    assert re.fullmatch(r"watching the inbox|\d+ running, \d+ waiting", said)
    service.in_the_middle("long")
    assert wait_for(lambda: "1" in service.show("StatusText"), 10, pause=0.5)
    service.cancel("long")


def test_it_has_no_rights_but_those_that_it_needs(service: Service) -> None:
    """As the kernel tells of the process itself."""
    status = service.run(f"cat /proc/{service.show('MainPID')}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(fields["CapEff"], 16) == int(fields["CapBnd"], 16) == 0
    assert fields["NoNewPrivs"] == "1"
    assert fields["Seccomp"] == "2"


def test_a_reload_reads_the_config_and_a_bad_one_changes_nothing(service: Service) -> None:
    """The process is the same afterwards."""
    process = service.show("MainPID")
    reloaded, failed = (len(service.events(f"daemon.{e}")) for e in ("reloaded", "reload_failed"))
    service.configure(jobs={"priority": 70})
    service.run("systemctl reload nstd")
    wait_for(lambda: len(service.events("daemon.reloaded")) > reloaded, 30)
    service.guest.write("/srv/nstd/config.yaml", "jobs: {priority: highest}\n")
    service.run("systemctl reload nstd")
    lines = wait_for(lambda: service.events("daemon.reload_failed")[failed:], 30)
    assert "priority" in lines[0]["error"]
    assert service.is_up()
    assert service.show("MainPID") == process
    service.run(f"cp beach.jpg starry.jpg {INBOX}", user="alice")
    sidecar = "{content: beach.jpg, style: starry.jpg, backend: puppet}"
    service.run(f"echo '{sidecar}' > {INBOX}/after-bad-config.yaml", user="alice")
    service.finished("after-bad-config")
    assert service.events("job.claimed", name="after-bad-config")[0]["priority"] == 70


def test_a_config_that_is_wrong_at_the_start_is_left_to_a_person(service: Service) -> None:
    """systemd does not start it again and again, and the journal says what is wrong."""
    service.guest.write("/srv/nstd/config.yaml", "jobs: {priority: highest}\n")
    status, _ = service.attempt("systemctl restart nstd")
    assert status != 0
    assert service.show("ExecMainStatus") == "3"
    assert service.show("ActiveState") == "failed"
    assert "priority" in service.run("journalctl -u nstd -o cat -n 20")
    service.configure()
    service.run("systemctl reset-failed nstd; systemctl start nstd")


def test_a_daemon_that_is_killed_comes_back_and_goes_on(service: Service) -> None:
    """systemd starts it; the job resumes, and the attempt is forgiven."""
    service.in_the_middle("killed")
    restarts, starts = int(service.show("NRestarts")), len(service.events("daemon.started"))
    service.run("systemctl kill -s KILL --kill-who=main nstd")
    wait_for(lambda: service.is_up_again(starts), 60)
    assert int(service.show("NRestarts")) == restarts + 1
    assert_that_it_resumed(service, "killed")


def assert_that_it_resumed(service: Service, name: str) -> None:
    """The job of this name ends well, at its first attempt; its second beginning is further on."""
    job = wait_for(lambda: service.events("job.started", name=name)[1:], 60)[0]["job"]
    service.let_end(name)
    starts = service.events("job.started", job=job)
    assert [start["attempt"] for start in starts] == [1, 1]
    steps = [line["step"] for line in service.events("job.progress", job=job)]
    assert steps.count(1) <= 1
    assert steps == sorted(steps)


def test_a_daemon_that_hangs_is_started_again_by_the_watchdog(service: Service) -> None:
    """Stopped in the middle of a job, it says nothing: systemd aborts it."""
    service.in_the_middle("hangs")
    process, restarts = service.show("MainPID"), int(service.show("NRestarts"))
    starts = len(service.events("daemon.started"))
    service.run(f"kill -STOP {process}")
    wait_for(lambda: service.is_up_again(starts), 150)
    assert int(service.show("NRestarts")) == restarts + 1
    assert service.show("MainPID") != process
    wait_for(lambda: len(service.events("job.started", name="hangs")) == 2, 60)
    service.cancel("hangs")
    assert "Watchdog timeout" in service.run(journal_lines()[-1])


def test_a_stop_saves_the_job_and_a_start_goes_on_with_it(service: Service) -> None:
    """In the middle of a job: no attempt is used, and nothing of the service is left meanwhile."""
    service.in_the_middle("stopped")
    service.run("systemctl stop nstd")
    assert service.show("Result") == "success"
    assert service.run("find /proc -maxdepth 1 -user nstd") == ""
    requeued = service.events("job.requeued")[-1]
    assert requeued["job"] in service.waiting()
    service.run("systemctl start nstd")
    assert_that_it_resumed(service, "stopped")


def test_people_of_the_group_hand_in_look_on_cancel_and_take_out(service: Service) -> None:
    """As the page says: alice, who is in the group, may; bob, who is not, may not even look."""
    service.submit("mine", **PICTURE)
    service.finished("mine")
    ask = f"{NSTD} status -c /srv/nstd"
    assert "mine" in service.run(ask, user="alice")
    assert "mine" in service.run(f"{NSTD} logs mine -c /srv/nstd", user="alice")
    service.run(
        "cp /srv/nstd/outbox/mine/mine.png . && mv /srv/nstd/outbox/mine taken", user="alice"
    )
    assert not (service.folder / "outbox" / "mine").exists()
    service.submit("hers", **LONG)
    for times in (1, 2):
        wait_for(lambda: len(service.events("job.started", name="hers")) == times, 60)  # noqa: B023
        ours = "-not -path '*/.requests*' -writable -print"  # notices are nobody's to see
        spoil = f"find /srv/nstd/work -name .notices -prune -o {ours} | grep ."
        assert service.attempt(spoil, user="alice") == (1, "")
        service.run(f"{NSTD} cancel hers -c /srv/nstd", user="alice")
        wait_for(lambda: len(service.events("job.failed", name="hers")) == times, 60)  # noqa: B023
        if times == 1:
            service.run(f"{NSTD} retry hers -c /srv/nstd", user="alice")
    for wrong in ("work/x", "networks/x", "config.yaml"):
        assert service.attempt(f"echo > /srv/nstd/{wrong}", user="alice")[0] != 0
    assert service.attempt("ls /srv/nstd", user="bob")[0] != 0


def test_a_copy_that_only_its_owner_may_read_waits_and_is_told_of(service: Service) -> None:
    """A picture that came with such a mode: the log has its name, and a `chmod` is enough."""
    folder = f"{INBOX}/private"
    service.run(f"umask 077; mkdir {folder}; cp beach.jpg starry.jpg {folder}", user="alice")
    service.run(f"chmod 600 {folder}/beach.jpg", user="alice")
    sidecar = "{content: beach.jpg, style: starry.jpg, backend: puppet}"
    service.run(f"umask 077; echo '{sidecar}' > {folder}/private.yaml", user="alice")
    path = "private/private.yaml"
    told = wait_for(lambda: service.events("inbox.unreadable", path=path), 60)
    assert "private/beach.jpg" in told[0]["error"]
    service.run(f"chmod g+r {folder}/beach.jpg", user="alice")
    service.finished("private")


def journal_lines() -> list[str]:
    """The page's commands for the journal: errors, one job, systemd's own words."""
    block = "\n".join(block_with("journalctl -u nstd -o cat -f"))
    return [command.strip() for command in re.split(r"^#.*$", block, flags=re.M)[1:]]


def test_the_filters_of_the_journal_find_what_they_are_for(service: Service) -> None:
    """The real journal, with the lines of the daemon and those of systemd."""
    service.submit("beach", **SHORT)
    service.finished("beach")
    service.run("echo 'content: [' > /srv/nstd/inbox/wrong.yaml", user="alice")
    wait_for(lambda: service.events("job.failed", name="wrong"), 30)
    errors, job, systemd = journal_lines()
    status, printed = service.attempt(f"timeout 5 {errors}")
    assert status == 124
    assert '"sidecar_invalid"' in printed
    assert '"level":"info"' not in printed
    events = re.findall(r'"event":"([a-z.]+)"', service.run(job))
    assert events[0] == "job.claimed"
    assert events[-1] == "job.finished"
    words = service.run(f"{systemd} --no-pager")
    assert "Started nstd.service" in words
    assert "Stopping nstd.service" in words
    assert '"event"' not in words


def test_a_full_disk_costs_no_job(service: Service) -> None:
    """/srv/nstd is a small filesystem, filled in the middle of a job to the last byte.

    The job's bytes were free when it started, so it may cost an attempt, but no more than that.
    """
    service.run("systemctl stop nstd && mount -t tmpfs -o size=24M tmpfs /srv/nstd")
    try:
        service.run("systemd-tmpfiles --create nstd.conf")
        service.run(f"sudo -u nstd {NSTD} init /srv/nstd")
        service.configure(limits={"min_free": "1MiB"})
        service.run("systemctl start nstd")
        service.in_the_middle("full")
        service.attempt("dd if=/dev/zero of=/srv/nstd/fill bs=4k")
        told = "journalctl -u nstd -o cat --since -2m | grep '\"disk.full\"'"
        wait_for(lambda: service.attempt(told)[0] == 0, 120, "disk.full in the journal", 0.5)
        assert service.is_up()
        service.run("rm /srv/nstd/fill")
        assert service.let_end("full")["attempt"] <= 2
        assert service.show("NRestarts") == "0"
    finally:
        service.run("systemctl stop nstd && umount /srv/nstd")
