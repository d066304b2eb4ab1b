"""The batch job of Frontdoor as a Spark application: Spark's tasks share the window of a run."""

from ._core import run_task
from ._workers import main

__all__ = ["main", "run_task"]
