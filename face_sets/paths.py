"""The folders of the user's face sets and of what is made from them.

Two environment variables move them: ``FER_DATA`` (the user's copies of real data sets) and ``FER_CACHE``
(generated and parsed face sets).
"""

import os
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parent.parent


def _place(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else _CHECKOUT / default


def data_dir() -> Path:
    """Return the folder that has one folder per real data set, in its official layout."""
    return _place("FER_DATA", "data")


def cache_dir() -> Path:
    """Return the folder of generated and parsed face sets; deleting it loses only time."""
    return _place("FER_CACHE", ".cache")
