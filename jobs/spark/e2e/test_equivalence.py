"""Spark and `forward` do the same with the same topic, and can alternate on one group."""

import pytest

import checker
from conftest import Stage

# Tasks for the whole topic: four for each partition.
SLICES = 8
TOPIC = "equivalence"
COUNTS = ("matched", "delivered", "dead_lettered", "deferred", "timeouts", "connection_errors", "state")


@pytest.fixture(scope="module")
def written(kafka, cluster, directory, request):
    """The topic of all tests here: two records in ten match."""
    stage = Stage(kafka, cluster, directory / TOPIC)
    yield stage.topic(TOPIC, request.config.getoption("--records"), matching=2)
    stage.stop()


def counts(report):
    """What a report says about records: all but times, ids and URLs."""
    routes = [{name: route[name] for name in ("route", *COUNTS)} for route in report["routes"]]
    # Batches end with a slice, so that only the requests of a route without batches are equal.
    routes[0]["attempts"], routes[0]["statuses"] = report["routes"][0]["attempts"], report["routes"][0]["statuses"]
    names = ("outcome", "exit_code", "totals", "balanced", "partitions")
    return {**{name: report[name] for name in names}, "routes": routes, "causes": report["dead_letters"]["causes"]}


def letters(stage, job):
    """The dead letters of a job, without the run in them."""
    found = stage.kafka.read(job.dead_letter_topic)
    for _, _, key, value, headers in found:
        kept = [header for header in headers if header[0] not in ("frontdoor.run", "__dlq.errors.group")]
        yield dict(headers)["__connect.errors.partition"], dict(headers)["__connect.errors.offset"], key, value, kept


def keys(stage):
    """The idempotency keys that the endpoints have received, by route."""
    return {route: {key for _, key, _ in checker.read_log(endpoint.log)} for route, endpoint in stage.endpoints.items()}


def test_spark_and_forward_give_the_same(kafka, new_stage, written):
    forward, spark = new_stage("by-forward"), new_stage("by-spark")
    # If the topic exists before the run, the first commit of the run writes the topic record.
    for name in ("by-forward", "by-spark"):
        kafka.create(f"{name}-dead-letter", 1)
    jobs = {forward: forward.job(TOPIC, "by-forward"), spark: spark.job(TOPIC, "by-spark")}
    results = {
        forward: jobs[forward].forward().wait(10),
        spark: jobs[spark].spark(len(written) // SLICES).wait(10),
    }
    verdicts = {stage: stage.judge(job, written).check() for stage, job in jobs.items()}
    print(f"  forward: {results[forward].seconds:.1f} s, Spark: {results[spark].seconds:.1f} s")
    assert verdicts[spark].accepted == verdicts[forward].accepted
    assert counts(results[spark].report) == counts(results[forward].report)
    assert sorted(letters(spark, jobs[spark])) == sorted(letters(forward, jobs[forward]))
    committed = [stage.kafka.committed(job.group, TOPIC) for stage, job in jobs.items()]
    assert committed[0] == committed[1]
    topic_records = [stage.kafka.committed(job.group, job.dead_letter_topic, 1) for stage, job in jobs.items()]
    assert topic_records[0] == topic_records[1]
    assert topic_records[0][0][1].startswith("fdt2.")
    # The keys do not contain the group, so they are equal too.
    assert keys(spark) == keys(forward)


def test_runs_of_forward_and_spark_alternate(stage, written):
    job = stage.job(TOPIC, "alternating")
    part = len(written) // 4
    limit = {"WINDOW_MAX_RECORDS": str(part)}
    results = [
        job.forward(**limit).wait(12),
        job.spark(part // SLICES, **limit).wait(12),
        job.forward(**limit).wait(12),
        job.spark(part // SLICES).wait(10),
    ]
    assert [result.report["totals"]["planned"] for result in results] == [part] * 4
    stage.judge(job, written).check()
