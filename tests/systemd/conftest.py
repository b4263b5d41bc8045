"""Guests with nstd installed: one for each version of Debian, shared by the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from systemd.service import Service

DEBIAN = [12, pytest.param(13, marks=pytest.mark.slow)]


@pytest.fixture(scope="session")
def services() -> Iterator[dict[int, Service]]:
    """Those that were asked for, by their version of Debian; they end with the session."""
    made: dict[int, Service] = {}
    yield made
    for service in made.values():
        service.guest.close()


@pytest.fixture(params=DEBIAN, ids=lambda version: f"debian{version}")
def service(request: pytest.FixtureRequest, services: dict[int, Service]) -> Service:
    """nstd as its page installs it; on Debian 12 the unit is told to hurry."""
    version = request.param
    if version not in services:
        services[version] = Service.installed(version)
    services[version].reset(hurry=version == 12)
    return services[version]


@pytest.fixture(params=DEBIAN, ids=lambda version: f"debian{version}")
def debian(request: pytest.FixtureRequest) -> int:
    """The version, for tests that spoil their guest."""
    version: int = request.param
    return version
