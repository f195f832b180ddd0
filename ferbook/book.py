"""The chapters, declared once. The Snakefile, the command line, the table of contents and the tests read
this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from book.chapter_parameters import (
    AuVerificationParameters,
    DeconvolutionParameters,
    DerlParameters,
    FacesParameters,
    MicroExpressionsParameters,
    StructureAndLossParameters,
    TrainingParameters,
    TransferParameters,
)
from book.parameters import ChapterParameters
from ferbook import paths
from ferbook.errors import ParameterError, nearest_name


@dataclass(frozen=True)
class Chapter:
    """One page of the book that is computed: ``book/<name>.ipynb``."""

    name: str
    title: str
    parameters: type[ChapterParameters]
    upstream: tuple[str, ...] = ()
    key_metrics: tuple[str, ...] = ()

    @property
    def notebook(self) -> Path:
        """The chapter's source: a notebook without outputs."""
        return paths.BOOK / f"{self.name}.ipynb"


CHAPTERS: dict[str, Chapter] = {
    chapter.name: chapter
    for chapter in (
        Chapter(
            "faces",
            "The faces",
            FacesParameters,
            key_metrics=("pictures", "copies_test_in_train"),
        ),
        Chapter(
            "training",
            "Training by the papers' protocols",
            TrainingParameters,
            upstream=("faces",),
            key_metrics=("test_accuracy", "macro_f1"),
        ),
        Chapter(
            "structure_and_loss",
            "Structure and loss",
            StructureAndLossParameters,
            key_metrics=("test_accuracy", "effect_difference"),
        ),
        Chapter(
            "deconvolution",
            "What the filters look at",
            DeconvolutionParameters,
            upstream=("training",),
            key_metrics=("filters", "filters_silent"),
        ),
        Chapter(
            "au_verification",
            "Is this filter an action-unit detector?",
            AuVerificationParameters,
            upstream=("training",),
            key_metrics=("named_filters", "beyond_chance_filters"),
        ),
        Chapter(
            "transfer",
            "Transfer across faces and tasks",
            TransferParameters,
            key_metrics=("in_dataset_accuracy", "cross_dataset_accuracy"),
        ),
        Chapter(
            "micro_expressions",
            "Micro-expressions over time",
            MicroExpressionsParameters,
            upstream=("training", "au_verification"),
            key_metrics=("uf1", "majority_uf1"),
        ),
        Chapter(
            "derl",
            "What is left of the expression",
            DerlParameters,
            key_metrics=("accuracy", "cnn_accuracy"),
        ),
    )
}
"""Name -> chapter, every chapter after those it depends on."""


def find_chapter(name: str) -> Chapter:
    """The chapter called ``name``. Raises ParameterError with the nearest known name."""
    if name not in CHAPTERS:
        raise ParameterError(
            f"no chapter {name!r}{nearest_name(name, CHAPTERS)}; the chapters are {', '.join(CHAPTERS)}"
        )
    return CHAPTERS[name]


def followers(name: str) -> list[str]:
    """The chapters that cannot begin before the chapter called ``name`` has finished, in running order."""
    waiting = {name}
    for chapter in CHAPTERS.values():  # each after those it depends on
        if waiting & set(chapter.upstream):
            waiting.add(chapter.name)
    return [other for other in CHAPTERS if other in waiting - {name}]


def with_upstream(names: Iterable[str]) -> list[Chapter]:
    """The named chapters (all of them where none is named) and what they depend on, in running order."""
    wanted: set[str] = set()
    pending = list(names) or list(CHAPTERS)
    while pending:
        chapter = find_chapter(pending.pop())
        wanted.add(chapter.name)
        pending += [name for name in chapter.upstream if name not in wanted]
    return [chapter for name, chapter in CHAPTERS.items() if name in wanted]
