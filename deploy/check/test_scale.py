"""SCALE.md contains the tables that scale-plan prints, and the results depend on the arguments."""

import sys

from tools import DEPLOY, run


def printed(*arguments):
    return run(sys.executable, DEPLOY / "scale-plan", *arguments).stdout


def test_scale_md_contains_the_current_tables():
    page = (DEPLOY / "SCALE.md").read_text()
    for table in printed().strip().split("\n\n"):
        assert table in page, f"SCALE.md is out of date; scale-plan prints:\n{table}"


def test_partitions_depend_on_bytes_and_containers_on_time():
    assert "| 1,000 | 2 | 20 |" in printed("1000", "--bytes", "1000")
    assert "| 1,000 | 1 | 100 |" in printed("1000", "--call-ms", "100")


def test_exceeded_limits_are_marked():
    assert "(over the limit)" in printed("10000", "--memory", "512")
    assert "(ask for more)" in printed("100000", "--bytes", "500")
