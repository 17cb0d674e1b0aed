"""Programs on several ranks of MPI: where there is none, the tests skip and say why."""

import pytest
from mpi_programs import require_mpi


@pytest.fixture(autouse=True, scope="session")
def _mpi():
    require_mpi()
