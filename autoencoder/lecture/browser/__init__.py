"""The part of the page that computes in the reader's browser."""
