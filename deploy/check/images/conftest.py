"""Adds the modules of the checks and of the end-to-end tests to the path."""

import sys
from pathlib import Path

import pytest

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "e2e"), str(here.parent)]


def pytest_addoption(parser):
    parser.addoption("--driver", choices=["socket", "fn"], default="socket", help="the caller of the function: the testkit's agent over a socket, or Fn")


@pytest.fixture(scope="session")
def left_behind():
    """Returns the containers that the tests started and did not remove. A killed earlier run may have left others."""
    import docker

    earlier = docker.containers()
    return lambda: docker.containers() - earlier
