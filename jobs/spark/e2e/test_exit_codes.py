"""How a run on Spark ends when it cannot complete its window, and that the next one goes on."""

import pytest

import processes
from test_chaos import MATCHING, RECORDS, SLICE, UNRETURNED, finish


@pytest.fixture
def topic(stage, request):
    """A topic and its job."""
    name = request.node.name.removeprefix("test_").replace("_", "-")
    return stage.topic(name, RECORDS, MATCHING), stage.job(name, name)


def test_a_deadline_ends_a_run_without_repeats(stage, topic):
    written, job = topic
    stage.behave(delay=0.5)
    # Spark's start is a part of it.
    result = job.spark(SLICE, DEADLINE="60s").wait(12)
    totals = result.report["totals"]
    assert 0 < totals["delivered"] and 0 < totals["deferred"], totals
    assert result.seconds < 75
    stage.behave()
    finish(job)
    stage.judge(job, written).check()


def test_a_broker_that_stays_away_ends_a_run(stage, topic):
    written, job = topic
    stage.behave(delay=0.05)
    run = job.spark(SLICE)
    stage.wait_for_requests(1_000, run)
    stage.kafka.kill()
    try:
        run.wait(74)
    finally:
        stage.kafka.revive()
    finish(job)
    stage.judge(job, written).check(max_repeats=UNRETURNED)


def test_a_broker_that_is_not_there_ends_a_run_before_spark_starts(stage, topic):
    _, job = topic
    result = job.spark(SLICE, KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{processes.free_port()}").wait(74)
    assert stage.requests() == 0
    assert "SparkContext" not in result.log


def test_settings_that_workers_cannot_share_are_refused(stage, topic):
    _, job = topic
    result = job.spark(SLICE, WINDOW_MAX_BYTES="1000000").wait(78)
    assert "WINDOW_MAX_BYTES" in result.log
    assert stage.requests() == 0
