"""The computation graph, drawn: as text in the DOT language, or as a picture.

A box stands for a tensor and, where an operation made it, for that operation: the graph *is*
operations pointing at tensors pointing at operations. Reading order: ``recorded.py`` (what was
recorded), ``fold.py`` (large graphs, folded), ``boxes.py`` (what a box says), ``layout.py`` (where
it stands), ``lines.py``, ``picture.py``.
"""

from minigrad.graph.drawing import Drawing, draw

__all__ = ["Drawing", "draw"]
