"""Prints 'N passed, N failed' at the end. A skipped check counts as failed."""

import pytest

counts = {"passed": 0, "failed": 0}


def pytest_runtest_logreport(report):
    if report.when == "call" and report.passed:
        counts["passed"] += 1
    elif report.failed or report.skipped:
        counts["failed"] += 1


def pytest_collectreport(report):
    if report.failed:
        counts["failed"] += 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    if counts["failed"] and session.exitstatus == 0:
        session.exitstatus = 1


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    print(f"{counts['passed']} passed, {counts['failed']} failed")
