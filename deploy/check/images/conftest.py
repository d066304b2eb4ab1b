"""Adds the modules of the checks and of the end-to-end tests to the path."""

import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "e2e"), str(here.parent)]


def pytest_addoption(parser):
    parser.addoption("--driver", choices=["socket", "fn"], default="socket", help="the caller of the function: the testkit's agent over a socket, or Fn")
