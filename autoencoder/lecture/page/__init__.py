"""The lecture's page, and the deck of slides that it also is: one HTML file."""

from autoencoder.lecture.page.markup import digest_of, opening_html, page, section_html

__all__ = ["digest_of", "opening_html", "page", "section_html"]
