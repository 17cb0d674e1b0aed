"""minigrad beside other libraries: the same work, in turn, in processes of their own.

Reading order: ``cases.py`` (what is compared), ``problems.py`` (the work, in no library's words),
``peers/`` (the work in each library's words), ``process.py`` (a process for each library),
``rounds.py`` (do they compute the same? then they take turns), ``report.py`` (what came out),
``command.py``. ``ranks/`` is its case of several processes; ``features/`` tries what each library
can do; ``same_job/`` compares whole programs.
"""
