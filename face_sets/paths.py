"""Where the user's face sets and what is made of them lie.

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
    """Folder that holds one folder per real data set, in its official layout."""
    return _place("FER_DATA", "data")


def cache_dir() -> Path:
    """Folder of generated and parsed face sets; deleting it loses time only."""
    return _place("FER_CACHE", ".cache")
