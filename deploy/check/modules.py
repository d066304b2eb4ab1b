"""Terraform on the modules, with the stand-in in the provider's place, and the states that their tests end in."""

import json
import os
import shutil
from pathlib import Path

from tools import DEPLOY, HOME, ROOT, provider, run, terraform

MODULES = ["foundation", "pipeline"]


def environment() -> dict[str, str]:
    """The environment in which Terraform takes the stand-in, and has nobody to ask for another."""
    configuration = HOME / "terraform.rc"
    configuration.write_text(f'provider_installation {{\n  dev_overrides {{ "oracle/oci" = "{provider()}" }}\n}}\n')
    return {**os.environ, "TF_CLI_CONFIG_FILE": str(configuration), "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"}


def copy_to(place: Path) -> Path:
    """Copies the modules and what they read; hands back the copy of deploy/terraform."""
    shutil.copytree(DEPLOY / "terraform", place / "deploy/terraform", ignore=shutil.ignore_patterns(".terraform"))
    shutil.copytree(ROOT / "schemas", place / "schemas")
    return place / "deploy/terraform"


def messages(module: Path) -> list[dict]:
    """What a module's tests say, one JSON message a line: among them the state that each of them ended in."""
    done = run(terraform(), f"-chdir={module}", "test", "-verbose", "-json", env=environment(), check=False)
    return [json.loads(line) for line in done.stdout.splitlines()]


def resources(said: list[dict], test: str | None = None):
    """Every resource of the states that the tests ended in (or the one test), its values known."""
    for message in said:
        if message["type"] == "test_state" and test in (None, message["@testrun"]):
            state = message["test_state"]
            yield from state.get("values", state)["root_module"]["resources"]  # OpenTofu has one level more
