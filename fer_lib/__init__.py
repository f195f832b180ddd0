"""Library of the paper suite on facial expression recognition; the book's chapters call it."""

__version__ = "0.1.0"
