"""minigrad beside other libraries: the same work, in turn, in processes of their own.

Reading order: ``cases.py`` (what is compared), ``problems.py`` and ``networks.py`` (the work, in no
library's words), ``peers/`` (the work in each library's words), ``worker.py`` and ``process.py``
(a process for each), ``rounds.py`` (taking turns), ``agreement.py`` (is it the same work?),
``results.py``, ``report.py`` and ``figure.py`` (what came out).
"""
