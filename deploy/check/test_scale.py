"""SCALE.md contains the tables that scale-plan prints, and the results depend on the arguments."""

import sys

from tools import DEPLOY, run


def printed(*arguments):
    return run(sys.executable, DEPLOY / "scale-plan", *arguments).stdout


def test_scale_md_contains_the_current_tables():
    page = (DEPLOY / "SCALE.md").read_text()
    for table in printed().strip().split("\n\n"):
        assert table in page, f"SCALE.md is out of date; scale-plan prints:\n{table}"


def test_scale_md_contains_the_current_plan_for_spark():
    assert printed("--spark").strip() in (DEPLOY / "SCALE.md").read_text(), f"SCALE.md is out of date:\n{printed('--spark')}"


def test_cores_depend_on_the_measured_task_and_the_start():
    # 1,000,000/s ÷ 400,000/s and core × 1800 s ÷ (1800 s − 480 s) = 3.41
    assert "| filter only | 400,000 | 4 | 2 |" in printed("--spark", "--spark-task", "filter only=400000")
    assert "| filter only | 400,000 | 3 | 2 |" in printed("--spark", "--spark-task", "filter only=400000", "--spark-start-s", "0")
    # 1,000,000/s × 20 ms ÷ 500
    row = next(line for line in printed("--spark", "--spark-start-s", "0").splitlines() if "500 per POST" in line)
    assert row.endswith("| 40 |")


def test_the_plan_for_spark_rejects_unknown_tasks_and_endless_starts():
    for arguments in (["--spark-task", "other=1"], ["--spark-task", "filter only=0"], ["--spark-window-s", "480"]):
        assert run(sys.executable, DEPLOY / "scale-plan", "--spark", *arguments, check=False).returncode == 2


def test_partitions_depend_on_bytes_and_containers_on_time():
    assert "| 1,000 | 2 | 20 |" in printed("1000", "--bytes", "1000")
    assert "| 1,000 | 1 | 100 |" in printed("1000", "--call-ms", "100")


def test_exceeded_limits_are_marked():
    assert "(over the limit)" in printed("10000", "--memory", "512")
    assert "(ask for more)" in printed("100000", "--bytes", "500")
