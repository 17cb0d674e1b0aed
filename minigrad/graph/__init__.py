"""The computation graph: drawn as text or as a picture, and undone step by step.

``drawing.py`` says what a drawing shows, ``picture.py`` where that stands on the page, and
``trace.py`` runs the backward pass one operation at a time.
"""

from minigrad.graph.drawing import Drawing, draw

__all__ = ["Drawing", "draw"]
