"""SCALE.md's tables are what scale-plan prints, and the arithmetic answers to what goes in."""

import sys

from tools import DEPLOY, run


def printed(*arguments):
    return run(sys.executable, DEPLOY / "scale-plan", *arguments).stdout


def test_the_page_shows_what_is_printed():
    page = (DEPLOY / "SCALE.md").read_text()
    for table in printed().strip().split("\n\n"):
        assert table in page, f"SCALE.md is behind scale-plan; its table now is:\n{table}"


def test_partitions_follow_bytes_and_containers_follow_time():
    assert "| 1,000 | 2 | 20 |" in printed("1000", "--bytes", "1000")
    assert "| 1,000 | 1 | 100 |" in printed("1000", "--call-ms", "100")


def test_what_is_over_a_limit_says_so():
    assert "(over the limit)" in printed("10000", "--memory", "512")
    assert "(ask for more)" in printed("100000", "--bytes", "500")
