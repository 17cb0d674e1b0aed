"""Operations: one small class each, with its gradient derived beside it, and its function."""

from .methods import attach

attach()
