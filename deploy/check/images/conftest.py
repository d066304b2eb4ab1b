"""Lets the tests here use what the checks and the end-to-end tests beside them use."""

import sys
from pathlib import Path

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "e2e"), str(here.parent)]


def pytest_addoption(parser):
    parser.addoption("--driver", choices=["socket", "fn"], default="socket", help="who calls the function: lab's agent, or Fn")
