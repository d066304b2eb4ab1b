"""A standalone cluster of Spark on the loopback: one master and two workers of one core."""

import os
import sys
from pathlib import Path

import pyspark

import processes

HOME = Path(pyspark.__file__).parent
WORKERS = 2


class Cluster:
    """A running cluster. It ends when this process ends. If local, each driver has its tasks in its own process instead."""

    def __init__(self, directory, executor_memory="1g", is_local=False):
        self.directory = Path(directory)
        self.executor_memory = executor_memory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("KAFKA_", "SPARK_"))},
            "SPARK_HOME": str(HOME),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_LOCAL_DIRS": str(self.directory / "local"),
            "PYSPARK_PYTHON": sys.executable,
            "PYSPARK_DRIVER_PYTHON": sys.executable,
        }
        self.driver_memory = "1g" if is_local else "512m"
        if is_local:
            self.url, self.workers = f"local[{WORKERS}]", []
            return
        self.master = self._start("master", "master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        self.url = processes.wait_until(lambda: self._logged("master", "Starting Spark master at "), "Spark's master")
        self.workers = [self._start_worker(number) for number in range(WORKERS)]
        for number in range(WORKERS):
            name = f"worker-{number}"
            processes.wait_until(lambda: self._logged(name, "Successfully registered with master "), f"Spark's {name}")

    def _start_worker(self, number):
        # Spark copies a slow task only to another host, so each worker has an address of its own.
        host = f"127.0.0.{number + 1}"
        return self._start(
            f"worker-{number}", "worker.Worker", "--host", host, "--port", "0", "--webui-port", "0",
            "--cores", "1", "--memory", "2g", "--work-dir", str(self.directory / f"work-{number}"), self.url,
            host=host,
        )  # fmt: skip

    def _start(self, name, program, *arguments, host="127.0.0.1"):
        command = [HOME / "bin/spark-class", f"org.apache.spark.deploy.{program}", *arguments]
        with open(self.directory / f"{name}.log", "wb") as log:
            environment = {**self.environment, "SPARK_DAEMON_MEMORY": "256m", "SPARK_LOCAL_IP": host}
            return processes.start(command, env=environment, stdout=log, stderr=log)

    def _logged(self, name, text):
        for line in (self.directory / f"{name}.log").read_text(errors="replace").splitlines():
            if text in line:
                return line.split(text, 1)[1].strip() or True
        return None

    def submit(self, application, arguments, environment, configuration, log):
        """Starts spark-submit in client mode: the driver is in the process group of the returned process."""
        given = {
            "spark.executor.cores": "1",
            "spark.executor.memory": self.executor_memory,
            "spark.driver.memory": self.driver_memory,
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.ui.enabled": "false",
            "spark.log.level": "WARN",
            **configuration,
        }
        command = [HOME / "bin/spark-submit", "--master", self.url]
        for name, value in given.items():
            command += ["--conf", f"{name}={value}"]
        with open(log, "wb") as file:
            return processes.start(
                [*command, str(application), *arguments],
                env={**self.environment, **environment},
                stdout=file,
                stderr=file,
            )

    def executors(self):
        """The process ids of the executors' JVMs."""
        below = [pid for worker in self.workers for pid in processes.descendants(worker.pid)]
        return [pid for pid in below if "CoarseGrainedExecutorBackend" in processes.command_line(pid)]

    def python_workers(self):
        """The process ids of the Python processes of executors: a daemon for each, and its workers."""
        # An orphan has another parent, so that the tree of the workers does not show it.
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and "pyspark.daemon" in (line := processes.command_line(entry.name)):
                if line.startswith(sys.executable):
                    found.append(int(entry.name))
        return found

    def stop(self):
        """Ends all processes."""
        for process in [*self.workers, self.master]:
            processes.kill_group(process)
