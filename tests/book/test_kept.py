"""What is kept of pages is of the reference and is what would be computed; with it the book is built where
nothing that computes is installed.
"""

import json
import re
import shutil
import subprocess
import sys

import pytest

from book import kept
from ferbook import paths
from ferbook.errors import MissingError
from tests.conftest import make_clone

COMPUTING = (
    *("torch", "fastai", "sklearn", "scipy", "pyarrow"),
    *("cv2", "warp", "anny", "papermill", "snakemake"),
)


@pytest.fixture
def results():
    return kept.reference_results() or pytest.skip("the run reference is not here")


@pytest.mark.parametrize("name", kept.KEPT_PARTS)
def test_what_is_kept_is_of_the_reference(name, results):
    assert kept.is_stored(name, results), "`python -m book.kept` keeps what pages show now"


def test_what_is_kept_of_other_results_is_computed(results, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    (tmp_path / "emotions.json").write_text(json.dumps({"key": "another", "text": "old"}))
    monkeypatch.setattr(kept.Part, "text", lambda self, results: f"computed by {self.function}")
    monkeypatch.setattr(kept.Part, "key", lambda self, results: "this")
    assert kept.kept_emotions(results) == "computed by emotions"
    (tmp_path / "emotions.json").write_text(json.dumps({"key": "this", "text": "kept"}))
    assert kept.kept_emotions(results) == "kept"


def test_a_package_that_would_compute_it_and_is_absent_is_named(results, monkeypatch, tmp_path):
    monkeypatch.setattr(kept, "FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "book.evaluation", raising=False)
    with pytest.raises(MissingError, match=r"'baselines' of a page is not stored .* torch is not installed"):
        kept.kept_baselines(results)


def numbers_apart(text):
    """``text`` without pictures and numbers, and its numbers."""
    text = re.sub(r"data:image/webp;base64,[\w+/=]+|[\w+/=]{200,}", "", text)
    number = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
    return re.sub(number, "0", text), [float(each) for each in re.findall(number, text)]


@pytest.mark.slow
@pytest.mark.parametrize("name", kept.KEPT_PARTS)
def test_what_is_kept_is_what_would_be_computed(name, results):
    words, numbers = numbers_apart(kept.stored_text(name, results))
    again, others = numbers_apart(kept.KEPT_PARTS[name].text(results))
    assert words == again and numbers == pytest.approx(others, rel=0.02, abs=0.02)


@pytest.mark.slow
def test_the_book_is_built_where_nothing_that_computes_is_installed(tmp_path):
    clone = make_clone(tmp_path / "clone")
    reference = paths.root() / "runs" / "reference"
    left_out = shutil.ignore_patterns(".work")  # what a killed run left
    shutil.copytree(reference, clone.root / "runs" / "reference", ignore=left_out)
    notebooks = map(str, (clone.root / "runs").rglob("*.ipynb"))
    author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
    for words in (("init", "-q"), ("add", *notebooks), (*author, "commit", "-qm", "As it is committed")):
        subprocess.run(["git", "-C", str(clone.root), *words], check=True)

    def reading(*words):
        code = f"import sys; sys.modules.update(dict.fromkeys({COMPUTING})); "
        words = [sys.executable, "-c", f"{code}from ferbook.cli import main; main()", *words]
        how = {"cwd": clone.root, "env": clone.environment, "capture_output": True, "text": True}
        return subprocess.run(words, **how, check=False)

    built = reading("build", "--run", "reference", "--mine")
    assert built.returncode == 0, built.stderr
    status = json.loads(reading("status", "--run", "reference", "--json").stdout)["chapters"]
    reasons = {row["chapter"]: "; ".join(row["reasons"]) for row in status}
    assert "data not found (FER_DATA)" in reasons["transfer"], "its photographs are not here"
    assert "package " not in str(reasons), "what is not installed is unknown, not changed"
    assert 'id="live-data"' in (clone.root / "_build" / "html" / "book" / "live.html").read_text()
    refused = reading("explain", "picture.jpg")
    assert refused.returncode == 2 and refused.stderr.startswith("ferbook: this command needs ")
