"""Faces generated from FACS codes."""
