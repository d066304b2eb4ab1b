"""Adds the modules of the checks and of the end-to-end tests to the path. The cluster runs until the tests end."""

import sys
from pathlib import Path

import pytest

here = Path(__file__).resolve().parent
sys.path[:0] = [str(here), str(here.parent / "e2e"), str(here.parent)]


@pytest.fixture(scope="session", autouse=True)
def cluster(request):
    """The cluster, unless only the programs are built."""
    if all(item.path.name == "test_programs.py" for item in request.session.items):
        return None
    from cluster import Cluster

    return Cluster()
