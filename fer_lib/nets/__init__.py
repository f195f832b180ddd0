"""Networks only: no training code."""
