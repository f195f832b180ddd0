import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_markdown_cell, new_notebook
from sphinx.testing.util import SphinxTestApp

from ferbook.errors import RunStoreError
from ferbook.estimate import Estimate
from ferbook.sphinx_metrics import quote_metric
from ferbook.text import MetricError

BOOTSTRAP = "95 % subject-cluster bootstrap, 2000 draws"
METRICS = {
    "test_accuracy": Estimate(0.9312, 0.9021, 0.9543, n=1728, how=BOOTSTRAP, unit="share").to_json(),
    "epochs_run": Estimate(30, unit="count").to_json(),
}


@pytest.fixture
def folder(tmp_path) -> Path:
    metrics = tmp_path / "metrics"
    metrics.mkdir()
    (metrics / "training.json").write_text(json.dumps(METRICS))
    return metrics


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        ("training.test_accuracy", "93.1 %"),
        ("training.test_accuracy:interval", "93.1 % (95 % interval 90.2–95.4 %)"),
        ("training.test_accuracy:low", "90.2 %"),
        ("training.test_accuracy:n", "1,728"),
        ("training.epochs_run", "30"),
    ],
)
def test_a_reference_is_its_number(folder, reference, text):
    assert quote_metric(folder, reference).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("training.test_acuracy", "did you mean 'test_accuracy'"),
        ("trainign.test_accuracy", "did you mean 'training'"),
        ("training.test_accuracy:intervall", "did you mean 'interval'"),
        ("training.epochs_run:interval", "no interval"),
        ("training", "chapter.metric"),
    ],
)
def test_what_does_not_exist_is_refused_with_the_nearest_name(folder, reference, said):
    with pytest.raises(MetricError, match=said):
        quote_metric(folder, reference)


def test_a_damaged_file_is_named(folder):
    (folder / "training.json").write_text("{")
    with pytest.raises(RunStoreError, match=r"training\.json: not readable as JSON"):
        quote_metric(folder, "training.test_accuracy")


@contextmanager
def book(source: Path, index: str) -> Iterator[SphinxTestApp]:
    """The book with one page, as it is built."""
    (source / "conf.py").write_text(
        "extensions = ['myst_nb', 'ferbook.sphinx_metrics']\n"
        "nb_execution_mode = 'off'\nnb_ipywidgets_js = {}\nexclude_patterns = ['metrics']\n"
    )
    (source / "index.md").write_text(index)
    app = SphinxTestApp("html", srcdir=source)
    try:
        app.build()
        yield app
    finally:
        app.cleanup()


def shown(app: SphinxTestApp, page: str = "index") -> str:
    return (app.outdir / f"{page}.html").read_text(encoding="utf-8").replace("\u00a0", " ")


def test_the_role_works_in_pages_and_in_notebooks(tmp_path, folder):
    cell = new_markdown_cell("# Chapter\n\nOf {metric}`training.test_accuracy:n`.")
    nbformat.write(new_notebook(cells=[cell]), tmp_path / "chapter.ipynb")
    page = (
        "# Book\n\nIt is {metric}`training.test_accuracy:interval`.\n\n**At {metric}`derl.a`.** Others\n\nof "
        "{metric}`derl.b` differ.\n\n| a |\n|---|\n| at {metric}`derl.c` |\n\n**So.** {metric}`derl.d`.\n\n"
        "```{toctree}\nchapter\n```\n"
    )
    with book(tmp_path, page) as app:
        assert app.warning.getvalue() == ""
        assert '<span class="metric">93.1 % (95 % interval 90.2–95.4 %)</span>' in shown(app)
        assert '<span class="metric">1,728</span>' in shown(app, "chapter")
        assert "<p><strong>Not measured yet.</strong> Others</p>\n<p>Not measured yet.</p>" in shown(app)
        assert "<td><p>not measured yet</p></td>" in shown(app), "where a run lacks a number"
        assert "<p><strong>So.</strong></p>" in shown(app), "a sentence in bold stands without the rest"


def test_an_unknown_metric_warns_with_file_and_line(tmp_path, folder):
    with book(tmp_path, "# Book\n\nFine.\n\nIt is {metric}`training.test_acuracy`.\n") as app:
        warning = app.warning.getvalue()
    assert "index.md:5: WARNING: metric 'training.test_acuracy'" in warning
    assert "did you mean 'test_accuracy'?" in warning


@pytest.mark.parametrize("absent_at_first", [False, True])
def test_a_changed_metric_rewrites_the_page(tmp_path, folder, absent_at_first):
    stored = (folder / "training.json").read_text()
    if absent_at_first:
        (folder / "training.json").unlink()
    page = "# Book\n\nIt is {metric}`training.test_accuracy`.\n"
    with book(tmp_path, page) as app:
        assert ("93.1 %" in shown(app)) is not absent_at_first
    (folder / "training.json").write_text(stored.replace("0.9312", "0.5"))
    with book(tmp_path, page) as app:
        assert "50.0 %" in shown(app)
