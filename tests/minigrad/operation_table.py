"""All cases: the whole table of ``operation_cases.py`` and ``operation_cases_images.py``."""

import operation_cases as cases
import operation_cases_images as image_cases
import pytest

GROUPS = [
    cases.elementwise,
    cases.reductions,
    cases.shapes,
    cases.indexing,
    cases.linear_algebra,
    cases.gradients_only,
    image_cases.convolutions,
    image_cases.pooling,
    image_cases.losses,
    image_cases.moves,
    image_cases.further,
]
CASES = [case for group in GROUPS for case in group()]


each_group = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
