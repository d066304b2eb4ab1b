"""Spark's tasks as the workers of a run."""

import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from . import _core

#: How long the executors may take to register, in seconds, and how long after the last one another may follow.
REGISTRATION_TIMEOUT = 30
REGISTRATION_PAUSE = 1


def main(arguments=None):
    """Runs a command line of `forward`, and ends the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    is_shared = arguments[:1] == ["run"] and "--dry-run" not in arguments
    workers = SparkWorkers() if is_shared else None
    code = _core.main(["frontdoor-spark", *arguments], workers)
    if workers is not None:
        workers.stop()
    sys.exit(code)


class SparkWorkers:
    """Starts a Spark job of one task for each slice. The Spark context is created with the first: an empty window needs
    none."""

    def __init__(self):
        self._context = None
        self._pool = None
        self._group = None

    def tasks(self):
        """The most tasks that run at once: `spark.frontdoor.tasks`, or as many as the application has cores."""
        self._start()
        return self._tasks

    def slice_offsets(self):
        """The most offsets of a slice: `spark.frontdoor.sliceOffsets`. None: the core chooses."""
        self._start()
        return _positive(self._context.getConf(), "spark.frontdoor.sliceOffsets")

    def execute(self, task):
        """Executes a task, and returns its result. Called from several threads at once."""
        # The connection to the JVM belongs to a thread: those of the pool keep theirs.
        return self._pool.submit(self._execute, task).result()

    def cancel(self):
        """Ends all tasks."""
        self._context.cancelJobGroup(self._group)

    def stop(self):
        """Ends the application."""
        if self._context is not None:
            self._pool.shutdown()
            self._context.stop()

    def _start(self):
        if self._context is not None:
            return
        from pyspark.sql import SparkSession

        context = SparkSession.builder.appName("frontdoor").getOrCreate().sparkContext
        self._tasks = _tasks(context)
        self._group = f"frontdoor-{context.applicationId}"
        self._pool = ThreadPoolExecutor(self._tasks, thread_name_prefix="slice")
        self._context = context

    def _execute(self, task):
        context = self._context
        context.setJobGroup(self._group, "a slice of the window")
        # In the closure, and not as data: Spark writes data to a temporary file. A closure of more than 1 MiB too.
        job = context.parallelize([None], 1).map(lambda _: _core.run_task(task))
        try:
            [result] = job.collect()
        except Exception as error:
            raise RuntimeError(_reason(str(error))) from None
        return result


def _tasks(context):
    """The number of tasks that run at once."""
    conf = context.getConf()
    tasks = _positive(conf, "spark.frontdoor.tasks")
    if tasks:
        return tasks
    cores = _positive(conf, "spark.executor.cores")
    if conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        executors = _positive(conf, "spark.dynamicAllocation.maxExecutors")
    else:
        executors = _positive(conf, "spark.executor.instances")
    if cores and executors:
        return cores * executors
    _await_executors(context)
    return context.defaultParallelism


def _await_executors(context):
    """Waits until the executors are registered: before, their number of cores is unknown. They register one after
    another, so their number has to stay the same for a while."""
    if context.master.startswith("local"):
        return
    now = start = time.monotonic()
    # The driver counts as one.
    count, since = 1, now
    while now < start + REGISTRATION_TIMEOUT and (count < 2 or now < since + REGISTRATION_PAUSE):
        time.sleep(0.05)
        now = time.monotonic()
        registered = context._jsc.sc().getExecutorMemoryStatus().size()
        if registered != count:
            count, since = registered, now


def _positive(conf, name):
    """The number of a property; None if it is not set."""
    text = conf.get(name)
    if text is None:
        return None
    if not text.isdigit() or int(text) == 0:
        raise ValueError(f"{name} is {text}: expected a whole number from 1")
    return int(text)


def _reason(text):
    """The reason in the text of a failed Spark job, which has the stack traces of several processes."""
    raised = re.findall(r"^(?:\w+\.)*(?:\w*Error|\w*Exception): (.+)$", text, re.MULTILINE)
    aborted = re.findall(r"Job aborted due to stage failure: (.+)", text)
    lines = raised[-1:] or aborted[:1] or text.splitlines()[:1] or ["unknown"]
    return lines[0].strip()
