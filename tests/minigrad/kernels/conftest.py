"""Makes the geometries and the emulation of CUDA importable for the tests beside it."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[2] / "demos"))  # emulation
