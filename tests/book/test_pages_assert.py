"""What a page makes by hand is held against the library: where a function of the library gives another value,
the page fails at the cell that says so, and prints nothing.
"""

import importlib
import json
import subprocess
import sys
from dataclasses import dataclass

import nbformat
import pytest

from ferbook.book import chapters
from ferbook.store import open_run

# An estimate that says a little too much.
NUDGED = "lambda made: dataclasses.replace(made, value=made.value + 0.25)"

# Numbers, or an array of them, that are a little too large.
SHIFTED = "lambda made: made + 0.25"


@dataclass(frozen=True)
class Mutation:
    """A library ``function``, by its module, whose value is ``changed``, and the ``cell`` of the chapter
    whose assert notices.
    """

    chapter: str
    function: str
    changed: str
    cell: str


# A table whose column is a little too large.
COLUMN = "lambda made: made.assign({0}=made['{0}'] + 0.25)".format

# Estimates by name that each say a little too much.
GAINED = "lambda made: {name: dataclasses.replace(one, value=one.value + 0.25) for name, one in made.items()}"

PAIRED, ADDED = "paired-assert", "lambda made: lambda own: made(own) + 0.25"
MUTATIONS = (
    Mutation("training", "book.training.study.comparisons", GAINED, "luck-of-training"),
    Mutation("structure_and_loss", "book.structure_and_loss.study.comparison_metrics", GAINED, PAIRED),
    Mutation("structure_and_loss", "fer_lib.stats.classification.calibration_error", NUDGED, "reliability"),
    Mutation("transfer", "fer_lib.stats.contrasts.mean_score", NUDGED, "degree"),
    Mutation("transfer", "fer_lib.stats.classification.calibration_error", NUDGED, "ece-check"),
    Mutation("au_verification", "fer_lib.stats.two_way.networks_and_people", NUDGED, "kappa-compared"),
    Mutation("au_verification", "book.au_verification.examine.agreement_share", ADDED, "agreement"),
    Mutation("au_verification", "fer_lib.aus.association.statistic", SHIFTED, "auroc"),
    Mutation("micro_expressions", "fer_lib.stats.contrasts.contrast", NUDGED, "ahead"),
    Mutation("micro_expressions", "book.micro_expressions.order.order_gains", GAINED, "mx04"),
    Mutation("faces", "book.faces.study.change_metrics", GAINED, "switched"),
    Mutation("faces", "book.faces.study.information_metrics", GAINED, "information-table"),
    Mutation("faces", "fer_lib.stats.resampling.bootstrap", NUDGED, "nearest"),
    Mutation("faces", "fer_lib.stats.classification.balanced_accuracy_of", SHIFTED, "carried-by-hand"),
    Mutation("deconvolution", "fer_lib.look.localisation.overlaps", SHIFTED, "region"),
    Mutation("derl", "book.derl.neutral_quality.psnr", SHIFTED, "psnr"),
    Mutation("derl", "book.derl.neutral_quality.quality_metrics", GAINED, "gate-by-hand"),
    Mutation("derl", "book.derl.study.residue_metrics", GAINED, "ahead-by-hand"),
    Mutation("truth", "fer_lib.look.judge.judge_maps", COLUMN("correctness"), "judge"),
    Mutation("truth", "book.truth.maps.map_metrics", GAINED, "verdicts"),
    Mutation("truth", "book.truth.codes.explained_units", COLUMN("explained"), "codes"),
)


def cells(chapter):
    return {cell.id: cell for cell in nbformat.read(chapters()[chapter].notebook, as_version=4).cells}


@pytest.mark.parametrize("chapter", [result.chapter for result in open_run("reference").results()])
def test_every_chapter_has_a_number_that_is_held_against_the_library(chapter):
    assert chapter in {mutation.chapter for mutation in MUTATIONS}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each.chapter}-{each.cell}")
def test_the_cell_that_notices_asserts_in_sight(mutation):
    cell = cells(mutation.chapter)[mutation.cell]
    assert "assert " in cell.source
    assert not {"hide-cell", "hide-input", "remove-cell", "remove-input"} & {*cell.metadata.get("tags", ())}
    module, _, name = mutation.function.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


EXECUTE = """
import json, sys
import papermill
source, target, parameters = sys.argv[1:]
try:
    papermill.execute_notebook(source, target, json.loads(parameters), progress_bar=False)
except papermill.PapermillExecutionError as fault:
    print(fault.ename)
"""


@pytest.mark.slow
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda each: f"{each.chapter}-{each.cell}")
def test_a_library_that_says_something_else_stops_the_page(mutation, smoke_clone, tmp_path):
    module, _, name = mutation.function.rpartition(".")
    file = smoke_clone.root / f"{module.replace('.', '/')}.py"
    notebook = chapters()[mutation.chapter].notebook
    done = json.loads((smoke_clone.result("smoke", mutation.chapter) / "DONE.json").read_text())
    settings = json.dumps(done["inputs"]["parameters"])
    run = smoke_clone.root / "runs" / "smoke"
    environment = smoke_clone.environment | {"FER_OUTPUT": str(tmp_path), "FER_RUN": str(run)}
    words = [sys.executable, "-c", EXECUTE, notebook.relative_to(notebook.parents[2]), tmp_path / "out.ipynb"]
    honest = file.read_text()
    file.write_text(
        f"{honest}\n\nimport dataclasses\n_changed, _honest = {mutation.changed}, {name}\n\n\n"
        f"def {name}(*given, **options):\n    return _changed(_honest(*given, **options))\n"
    )
    try:
        how = {"cwd": smoke_clone.root, "env": environment, "capture_output": True, "text": True}
        executed = subprocess.run([*words, settings], **how, check=True)
    finally:
        file.write_text(honest)
    assert executed.stdout.strip() == "AssertionError", executed.stderr
    stopped = [
        cell.id
        for cell in nbformat.read(tmp_path / "out.ipynb", as_version=4).cells
        if any(output.output_type == "error" for output in cell.get("outputs", ()))
    ]
    assert stopped == [mutation.cell]
