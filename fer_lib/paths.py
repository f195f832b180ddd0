"""Where everything lives. The only file that knows.

Three environment variables move things: ``FER_DATA`` (the user's copies of real data sets),
``FER_CACHE`` (generated and parsed face sets) and ``FER_RUNS`` (the run store).
"""

from pathlib import Path

from ferbook.paths import ROOT, _from_environment


def data_dir() -> Path:
    """Folder that holds one folder per real data set, in its official layout."""
    return _from_environment("FER_DATA", ROOT / "data")


def cache_dir() -> Path:
    """Folder of generated and parsed face sets; deleting it loses time only."""
    return _from_environment("FER_CACHE", ROOT / ".cache")
