"""Where everything lives. The only file that knows.

Three environment variables move things: ``FER_DATA`` (the user's copies of real data sets),
``FER_CACHE`` (generated and parsed face sets) and ``FER_RUNS`` (the run store).
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


BOOK = ROOT / "book"


LIBRARY = ROOT / "fer_lib"


SNAKEFILE = ROOT / "Snakefile"


TOC = ROOT / "_toc.yml"


CONFIG = ROOT / "_config.yml"


CLAIMS = ROOT / "claims.yaml"


BUILD = ROOT / "_build"


def _from_environment(variable: str, default: Path) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else default


def runs_dir() -> Path:
    """Folder of the run store: one folder per run."""
    return _from_environment("FER_RUNS", ROOT / "runs")
