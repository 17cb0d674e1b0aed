"""Makes the stand-in importable for the tests beside it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from standin_fixtures import cupy, used

__all__ = ["cupy", "used"]
