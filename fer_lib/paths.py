"""Where the user's face sets and what is made of them lie.

Two environment variables move them: ``FER_DATA`` (the user's copies of real data sets) and ``FER_CACHE``
(generated and parsed face sets).
"""

from pathlib import Path

from ferbook.paths import from_environment

_CHECKOUT = Path(__file__).resolve().parent.parent


def data_dir() -> Path:
    """Folder that holds one folder per real data set, in its official layout."""
    return from_environment("FER_DATA", _CHECKOUT / "data")


def cache_dir() -> Path:
    """Folder of generated and parsed face sets; deleting it loses time only."""
    return from_environment("FER_CACHE", _CHECKOUT / ".cache")
