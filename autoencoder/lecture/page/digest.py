"""What a section's part of the page follows from, as a digest: it tells a page that is older."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy

from autoencoder.lecture.caption import Caption
from autoencoder.storage.results import Results

if TYPE_CHECKING:
    from autoencoder.lecture.section import Section

__all__ = ["digest_of"]


def digest_of(section: Section, results: Results, captions: Mapping[str, Caption]) -> str:
    """The first 16 digits of the SHA-256 of a section's texts, captions and results."""
    texts = [section.title, section.description, section.equation]
    said = {name: caption.html() for name, caption in captions.items()}
    digest = hashlib.sha256()
    digest.update(json.dumps([texts, section.topics, section.sources, said]).encode())
    digest.update(json.dumps([results.numbers, results.rows], sort_keys=True).encode())
    for name, array in sorted(results.arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape} ".encode())
        digest.update(numpy.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]
