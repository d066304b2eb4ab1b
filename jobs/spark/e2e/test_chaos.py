"""Executors, drivers, endpoints and the broker fail during runs on Spark. The checker judges what arrived."""

import os
import signal
import time

import pytest

import processes

RECORDS = 24_000
# Four of five records match, half of them each route.
MATCHING = 8
SLICE = 2_000
# Slices that run at the same time: one for each core of the cluster.
TASKS = 2
# The matching and invalid records of slices that have not returned, at most all of their offsets.
UNRETURNED = TASKS * SLICE
# The run takes some seconds, and has many requests in flight when something fails.
DELAY = 0.02
SOME_REQUESTS = 1_500


def finish(job, slice_offsets=SLICE):
    """Runs on Spark until the group is at the end of the topic; a killed run keeps its membership for some seconds."""
    codes = []
    end = time.monotonic() + 90
    while not codes or codes[-1] not in (0, 10):
        assert time.monotonic() < end, f"not at the end: {codes}"
        codes.append(job.spark(slice_offsets).wait(0, 10, 12, 20).code)
    return codes


@pytest.fixture
def started(stage, request):
    """A topic, its records, and a run with slow endpoints that has sent some requests."""
    name = request.node.name.removeprefix("test_")
    written = stage.topic(name, RECORDS, MATCHING)
    job = stage.job(name, name)
    stage.behave(delay=DELAY)
    run = job.spark(SLICE)
    stage.wait_for_requests(SOME_REQUESTS, run)
    return job, written, run


def test_a_killed_executor_loses_nothing(stage, started):
    job, written, run = started
    victim = stage.cluster.executors()[0]
    orphans = [pid for pid in processes.descendants(victim) if "python" in processes.command_line(pid)]
    assert orphans, "the executor has no Python worker"
    os.kill(victim, signal.SIGKILL)
    result = run.wait(10, 70)
    if result.code == 70:
        finish(job)
    else:
        assert result.report["totals"]["planned"] == RECORDS
        assert result.report["totals"]["deferred"] == 0
    assert "Lost executor" in result.log, "Spark has not reported a lost executor"
    stage.judge(job, written).check(max_repeats=SLICE)
    processes.wait_until(lambda: not any(map(processes.command_line, orphans)), "the end of the Python workers", 15)


def test_a_killed_driver_loses_nothing(stage, started):
    job, written, run = started
    run.kill()
    processes.wait_until(lambda: not stage.cluster.executors(), "the end of the executors")
    codes = finish(job)
    print(f"\n  exit codes of the next runs: {codes}")
    stage.judge(job, written).check(max_repeats=UNRETURNED)


def test_forward_continues_after_a_killed_driver(stage, started):
    job, written, run = started
    run.kill()
    processes.wait_until(lambda: not stage.cluster.executors(), "the end of the executors")
    codes = []
    while not codes or codes[-1] == 20:
        codes.append(job.forward().wait(10, 20).code)
    stage.judge(job, written).check(max_repeats=UNRETURNED)


def test_a_second_run_is_refused(stage, started):
    job, written, run = started
    # The first run must not end before the others have started.
    stage.behave(delay=1)
    job.forward().wait(20)
    # The executors of the cluster belong to the first run, but the driver needs none to be refused.
    job.spark(SLICE).wait(20)
    assert run.is_running(), "the first run ended before the second"
    stage.behave()
    run.wait(10)
    stage.judge(job, written).check()


def test_a_restarted_broker_loses_nothing(stage, started):
    job, written, run = started
    stage.kafka.kill()
    time.sleep(2)
    stage.kafka.revive()
    result = run.wait(10, 70, 74)
    codes = [result.code] if result.code == 10 else [result.code, *finish(job)]
    print(f"\n  exit codes: {codes}")
    stage.judge(job, written).check(max_repeats=UNRETURNED)


def test_an_endpoint_that_is_down_defers_its_records(stage):
    written = stage.topic("down", RECORDS // 4, MATCHING)
    job = stage.job("down", "down")
    matching = sum(1 for record in written.values() if record.route == "A")

    stage.endpoints["A"].behave(status=503)
    result = job.spark(SLICE).wait(11)
    assert result.report["routes"][0]["deferred"] == matching
    assert result.report["routes"][1]["deferred"] == 0
    stage.judge(job, written, is_complete=False).check()

    stage.endpoints["A"].kill()
    # The other route has nothing left to deliver, so no endpoint accepts a record.
    job.spark(SLICE).wait(75)
    stage.judge(job, written, is_complete=False).check()

    stage.endpoints["A"].start()
    result = job.spark(SLICE).wait(0)
    assert result.report["totals"]["delivered"] == matching
    stage.judge(job, written).check()
