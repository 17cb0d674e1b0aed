"""What each library can do, found out by trying.

``command.py`` tries the features, each in a process of its own. A module for each library has what
they need, in its words: ``array`` (from NumPy's), ``host`` (back), ``gradient`` (from a function to
its gradient), two convolutions; ``make_nan``, and ``NAN_MAKER``, which the error is to name;
``check_gradient``, its ``CheckError``, and a ``wrong_square`` for it to find. An attempt of its own
takes the place of the general one; None says that the library has nothing to try.
"""

import numpy

FAULT = 1.001  # what the gradient of wrong_square is multiplied by
IMAGES = numpy.random.default_rng(0).random((32, 3, 28, 28), dtype="float32")
KERNEL = numpy.random.default_rng(1).random((8, 3, 5, 5), dtype="float32") - numpy.float32(0.5)
