"""Samples the processor time and the memory of processes, by kind."""

import itertools
import os
import threading
import time
from collections import defaultdict
from pathlib import Path

import processes

INTERVAL = 0.1
TICKS = os.sysconf("SC_CLK_TCK")


def kind_of(line):
    """Which part of Spark a process is, by its command line; None: none of a run, or it has ended."""
    if not line or "deploy.worker.Worker" in line:
        return None
    if "CoarseGrainedExecutorBackend" in line:
        return "executor"
    if "pyspark.daemon" in line:
        return "python"
    return "driver"


class Sampler:
    """Samples the descendants of some processes in a thread, from the start to the end of the block."""

    def __init__(self, roots):
        self.roots = roots
        self.kinds = {}
        self.ticks = {}
        self.peaks = defaultdict(float)
        self.timeline = []
        self.resident = []
        self.is_ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_ended.set()
        self.thread.join()

    def _run(self):
        while not self.is_ended.wait(INTERVAL):
            pids = {pid for root in self.roots() for pid in (root, *processes.descendants(root))}
            for pid in pids:
                self._sample(pid)
            self.resident.append(sum(processes.memory(pid, "VmRSS") for pid in pids))
            self.timeline.append((time.monotonic(), sum(self.ticks.values()) / TICKS))

    def _sample(self, pid):
        # A process may have become another program since it was first seen.
        kind = kind_of(processes.command_line(pid))
        if kind is None:
            return
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return
        self.ticks[pid] = int(fields[11]) + int(fields[12])
        self.kinds[pid] = kind
        self.peaks[pid] = max(self.peaks[pid], processes.memory(pid, "VmHWM"))

    def processor_seconds(self, start, end):
        """The processor time between two moments, as far as the samples show it."""

        def at(moment):
            return max((seconds for time, seconds in self.timeline if time <= moment), default=0)

        return at(end) - at(start)

    def peak(self, kind):
        """The highest peak memory of a process of this kind, in MiB."""
        return max((peak for pid, peak in self.peaks.items() if self.kinds[pid] == kind), default=0)

    def peak_resident(self):
        """The highest resident memory of all processes together, in MiB.

        A process that is being started has the memory of its parent for a moment. So both of two consecutive samples count.
        """
        return max(map(min, itertools.pairwise(self.resident)), default=0)
