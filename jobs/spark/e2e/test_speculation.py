"""Spark runs a second copy of a slow task. Its requests have the same keys, and count once."""

import json
import re

RECORDS = 8_000
SLICE = 1_000
# The endpoint responds to the first request for some records of one slice late, and to a second one at once. So the
# copy of the task is faster than the task itself.
SLOW = {"partition": 1, "from": 2_000, "to": 2_200, "seconds": 8}
SPECULATION = {
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.multiplier": "1.5",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.minTaskRuntime": "3s",
    # Without it, Spark never copies the only task of a stage.
    "spark.speculation.task.duration.threshold": "3s",
    # The scheduler logs each copy.
    "spark.log.level": "INFO",
}


def test_a_copy_of_a_slow_task_counts_once(stage):
    written = stage.topic("speculation", RECORDS, matching=8)
    job = stage.job("speculation", "speculation")
    stage.endpoints["A"].behave(first_delay=SLOW)
    result = job.spark(SLICE, SPECULATION).wait(10)
    # A copy is the second attempt of a task that has not failed.
    copies = len(re.findall(r"Starting task 0\.1 in stage", result.log))
    assert copies > 0, "Spark has copied no task"
    print(f"\n  copies: {copies}")
    verdict = stage.judge(job, written).check(max_repeats=copies * SLICE)
    assert verdict.repeats > 0, "the copy has sent nothing, so that nothing was tested"
    matching = sum(1 for record in written.values() if record.route)
    totals = result.report["totals"]
    assert (totals["planned"], totals["delivered"], totals["deferred"]) == (RECORDS, matching, 0), json.dumps(totals)
