"""Programs on several ranks of MPI: where there is none, the tests skip and say why."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from mpi_programs import require_mpi


@pytest.fixture(autouse=True, scope="session")
def _mpi():
    require_mpi()
