"""Typed parameters: one model per chapter. The profiles are data."""
