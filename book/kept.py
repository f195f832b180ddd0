"""What pages show that takes networks, rendering or statistics to compute, stored for the run ``reference``,
so that its book is built at once, and where what computes is not installed.

``python -m book.kept [PART …]`` makes ``book/_kept`` anew, or these parts of it.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path

from ferbook.errors import MissingError
from ferbook.files import digest_of
from ferbook.store import REFERENCE, ChapterResult, open_run

FOLDER = Path(__file__).with_name("_kept")


@dataclass(frozen=True)
class Part:
    """What the ``function`` of a ``module`` of the book writes onto a page, from committed ``files``, named
    from the book's folder, and the artefacts of ``chapters``, those of the reference or the ``own`` of the
    run that is shown.
    """

    module: str
    function: str
    chapters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    own: bool = False

    def text(self, results: Mapping[str, ChapterResult]) -> str:
        """Computed now."""
        return getattr(import_module(self.module), self.function)(results)

    def key(self, results: Mapping[str, ChapterResult]) -> str:
        """SHA-256 over what decides it: module and files, and what the chapters pass to others."""
        results = results if self.own else reference_results()
        files = [self.module.replace(".", "/").removeprefix("book/") + ".py", *self.files]
        digests = [hashlib.sha256((FOLDER.parent / name).read_bytes()).hexdigest() for name in files]
        digests += [results[name].artifact_digest() if name in results else "" for name in self.chapters]
        return digest_of(digests)


KEPT_PARTS = {
    "units": Part(
        "book.facs_page", "units", ("faces",), ("facs.html", "../synthetic_faces/facs.py"), own=True
    ),
    "emotions": Part("book.facs_page", "emotions", files=("../synthetic_faces/expressions.py",)),
    "live": Part("book.live_page", "live", ("training", "au_verification"), ("live.html", "photographs.csv")),
    "baselines": Part("book.evaluation", "baselines_page", files=("judge.csv",)),
    "detectors": Part("book.detector_page", "tried_page", files=("detectors.csv",)),
}


def reference_results() -> dict[str, ChapterResult]:
    """The finished chapters of the run ``reference``."""
    return {result.chapter: result for result in open_run(REFERENCE).results()}


def is_stored(name: str, results: Mapping[str, ChapterResult]) -> bool:
    """Whether ``FOLDER`` has the part ``name`` of these results."""
    file = FOLDER / f"{name}.json"
    return file.is_file() and _read(file)["key"] == KEPT_PARTS[name].key(results)


def _read(file: Path) -> dict[str, str]:
    return json.loads(file.read_text(encoding="utf-8"))


def stored_text(name: str, results: Mapping[str, ChapterResult]) -> str:
    """The part ``name`` of a page: the stored one, or computed where that is of other results or other code.

    Raises MissingError where it would have to be computed, and a package that it takes is not installed.
    """
    if is_stored(name, results):
        return _read(FOLDER / f"{name}.json")["text"]
    try:
        return KEPT_PARTS[name].text(results)
    except ModuleNotFoundError as fault:
        raise MissingError(
            f"the part {name!r} of a page is not stored for this run, and {fault.name} is not installed, "
            "which computes it; `make env` installs everything"
        ) from fault


# One for each part, in their order, for the lines of pages that ``suite`` fills.
(kept_units, kept_emotions, kept_live, kept_baselines, kept_detectors) = (
    partial(stored_text, name) for name in KEPT_PARTS
)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    results = reference_results()
    for name in sys.argv[1:] or KEPT_PARTS:
        part = KEPT_PARTS[name]
        content = {"key": part.key(results), "text": part.text(results)}
        (FOLDER / f"{name}.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
