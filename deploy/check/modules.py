"""Runs Terraform on the modules with the stand-in for the provider, and reads the states of their tests."""

import json
import os
import shutil
from pathlib import Path

from tools import DEPLOY, HOME, ROOT, provider, run, terraform

MODULES = ["foundation", "pipeline", "dataflow"]


def environment() -> dict[str, str]:
    """The environment in which Terraform uses the stand-in and contacts no registry."""
    configuration = HOME / "terraform.rc"
    configuration.write_text(f'provider_installation {{\n  dev_overrides {{ "oracle/oci" = "{provider()}" }}\n}}\n')
    return {**os.environ, "TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def copy_to(place: Path) -> Path:
    """Copies the modules and the schemas that they read; returns the copy of deploy/terraform."""
    shutil.copytree(DEPLOY / "terraform", place / "deploy/terraform", ignore=shutil.ignore_patterns(".terraform"))
    shutil.copytree(ROOT / "schemas", place / "schemas")
    return place / "deploy/terraform"


def messages(module: Path) -> list[dict]:
    """The JSON messages of a module's tests, including the state at the end of each test."""
    done = run(terraform(), f"-chdir={module}", "test", "-verbose", "-json", env=environment(), check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def resources(output: list[dict], test: str | None = None):
    """Every resource in the states at the end of all tests, or of one test."""
    for message in output:
        if message["type"] == "test_state" and test in (None, message["@testrun"]):
            state = message["test_state"]
            yield from state.get("values", state)["root_module"]["resources"]  # OpenTofu has the additional level "values"
