"""The environment of a process that works for us in another folder."""

import os

from fer_lib import paths


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment with ``more``: the same library and, absolute, the same runs, cache and data.

    ``FER_RUNS`` and its like may be relative, and the child's working directory is another.
    """
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(p for p in (str(paths.ROOT), os.environ.get("PYTHONPATH")) if p),
        "FER_RUNS": str(paths.runs_dir()),
        "FER_CACHE": str(paths.cache_dir()),
        "FER_DATA": str(paths.data_dir()),
        **more,
    }
