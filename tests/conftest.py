"""What all tests share: PostgreSQL fixtures, and with CI=true no test may skip."""

import os
from collections.abc import Generator

import pytest
from hypothesis import settings

pytest_plugins = ["tests.support.postgres", "tests.support.processes", "tests.support.pgbouncer"]

SKIPS_FAIL = os.environ.get("CI") == "true"

# The machines that run these tests are busy; a deadline per example would measure them, not us. CI tries the same examples for the
# same code, so that its verdict is about the change; whoever develops tries new ones each time.
settings.register_profile("taskfleet", deadline=None, derandomize=SKIPS_FAIL)
settings.load_profile("taskfleet")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests of the real control plane in one process, so that it is started once."""
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("kubernetes"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With CI=true a skipped test is a failed one: a missing component must not pass for a working one."""
    report = yield
    if SKIPS_FAIL and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {reason_of(report)}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    if SKIPS_FAIL and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI=true does not allow: {reason_of(report)}"
    return report


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The sentence that the skip gave, with its place."""
    match report.longrepr:
        case (path, line, reason):
            return f"{reason} ({path}:{line})"
        case other:
            return str(other)
