"""What CONTRIBUTING.md promises, by a toy of each kind in a temporary clone: nothing else has to be
touched.
"""

import hashlib
import re
import subprocess
import sys
from datetime import date

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell

from ferbook import paths

from ..conftest import make_clone

pytestmark = pytest.mark.whole_suite

BOOK = ("notebooks", "exercises", "pages_assert", "suite")
UNTOUCHED = ["tests/test_names.py", "tests/test_rooms.py", *(f"tests/book/test_{name}.py" for name in BOOK)]
UNTOUCHED += ["-k", "toychapter or cluster_gives or name or room"]
"""What a new chapter passes as `ferbook new` writes it."""

SOURCE = """
[real.toyset]
title = "A toy"
licence = "none"
citation_key = "toy2026"
citation = "A. Toy. A toy."
how_to_get = "made by a test"
layouts = [["toy.csv"]]
published = { pictures = 3 }
"""
READER = '''"""A toy: one row a picture, its grey value and its emotion."""

from functools import partial

import numpy as np

from face_sets.readers.sequences import FaceRow, Frame, Search, gather_rows
from face_sets.readers.tables import SPELLINGS, read_rows


def read_toyset(folder, size):
    """Flat pictures."""
    rows = []
    for row in read_rows(folder / "toy.csv", list):
        frame = Frame(row.place, partial(np.full, (size, size), row.whole("grey"), np.uint8))
        labels = {"frame": 0, "emotion": row.choice("emotion", SPELLINGS)}
        rows.append(FaceRow(frame, "toyset-" + row.text("subject"), "", labels, cropped=True))
    return gather_rows("toyset", rows, size, Search(), {})
'''
NETWORK = '''"""A toy network."""

from torch import nn

from fer_lib.nets.classifier import Classifier


class ToyNet(Classifier):
    """One dense layer."""

    def __init__(self, n_classes, size, dropout=0.0, generator=None):
        super().__init__(n_classes, size, dropout)
        self.flat = nn.Flatten()
        self.output = nn.Linear(size * size, n_classes)
'''
METHOD = '''

@explainer("toy_method")
def _toy_method(network, layer, pictures, rows, filters, positions) -> np.ndarray:
    """The picture itself."""
    return pictures[rows] / 255
'''
TOY = {"claim": "A toy claim.", "short": "A toy", "certainty": "N", "form": "difference", "polarity": "more"}
TOY |= {"measure": "toychapter.answer", "why": "A toy has one.", "matters": 0.5}
TOY["absolute"] = "The toy says {toychapter.answer}."
TOY["table"] = [["**toy**", "toychapter.answer"], ["none", "toychapter.nothing"]]
CLAIM = {"paper": "khorrami2015", "name": "A toy paper", "claims": [TOY]}


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    made = make_clone(tmp_path_factory.mktemp("contributing"))
    (made.root / "runs").mkdir()
    (made.root / "runs" / "reference").symlink_to(paths.root() / "runs" / "reference")
    return made


@pytest.fixture
def touched(clone):
    """Which files of the clone a test added or changed, as a function."""

    def digests():
        files = [f for f in clone.root.rglob("*") if f.is_file() and not {"__pycache__", "runs"} & {*f.parts}]
        return {f.relative_to(clone.root).as_posix(): hashlib.sha256(f.read_bytes()).digest() for f in files}

    before = digests()
    return lambda: {name for name, digest in digests().items() if before.get(name) != digest}


def python(clone, code, expect=0):
    how = {"cwd": clone.root, "env": clone.environment, "capture_output": True, "text": True}
    answer = subprocess.run([sys.executable, "-c", code], **how)
    assert answer.returncode == expect, answer.stderr
    return answer.stdout


def edit(file, old, new):
    text = file.read_text()
    assert text.count(old) == 1, f"{file}: {old!r} stands {text.count(old)} times"
    file.write_text(text.replace(old, new))


@pytest.mark.slow
def test_a_chapter_is_a_folder_and_a_line_and_a_figure_one_function(clone, touched):
    clone.ferbook("new", "toychapter")
    new = touched()
    assert "_toc.yml" in new
    assert all(name == "_toc.yml" or name.startswith("book/toychapter/") for name in new), new
    python(clone, f"import pytest; raise SystemExit(pytest.main(['-q', '-m', 'not slow', *{UNTOUCHED}]))")
    page = clone.root / "book" / "toychapter" / "toychapter.ipynb"
    notebook = nbformat.read(page, as_version=4)
    notebook.cells.append(
        new_code_cell(
            "from ferbook.estimate import Estimate\n"
            "from book.toychapter.figures import steps\n\n"
            'told = {"answer": Estimate(1.0, 0.9, 1.1, how="a toy")}\n'
            'run.save_metrics(told | {"nothing": Estimate(0.0, -0.1, 0.1, how="a toy")})\n'
            'run.figure("steps", steps, 3)'
        )
    )
    nbformat.write(notebook, page)
    figures = page.parent / "figures.py"
    figures.write_text(
        figures.read_text() + "\n\ndef steps(count):\n"
        '    """``count`` steps."""\n'
        '    data = pd.DataFrame({"step": range(count)})\n'
        "    figure, axes = pyplot.subplots()\n"
        '    axes.plot(data["step"])\n'
        '    return Drawn(figure, data, "A line that climbs three steps.", "A toy.")\n'
    )
    clone.ferbook("run", "toychapter", "--profile", "smoke", "--run", "toy")
    assert (clone.result("toy", "toychapter") / "figures" / "steps.csv").is_file()
    assert "executed again, agrees" in clone.ferbook("check", "toychapter", "--run", "toy")


@pytest.mark.slow
def test_a_claim_is_an_entry_of_claims_yaml(clone, touched):
    file = clone.root / "claims.yaml"
    entry = yaml.safe_dump([CLAIM], sort_keys=False)
    edit(file, "papers:\n", "papers:\n" + re.sub("^", "  ", entry.rstrip("\n"), flags=re.M) + "\n")
    unlogged = clone.ferbook("claims", "--run", "toy", expect=2)
    digest = re.search(r"'A toy', whose digest is (\w+)", unlogged)[1]
    decision = {TOY["short"]: {"before": "new", "digest": digest}}
    change = {"day": date(2027, 1, 1), "what": "A toy.", "why": "A toy.", "claims": decision}
    file.write_text(file.read_text() + re.sub("^", "  ", yaml.safe_dump([change]), flags=re.M).rstrip(" "))
    told = clone.ferbook("claims", "--run", "toy")
    assert touched() == {"claims.yaml"}
    assert re.search(r"\n  A toy\n    your run: YES\b.* The toy says 1\.00", told)


@pytest.mark.slow
def test_a_face_set_is_a_reader_and_its_source(clone, touched, tmp_path):
    (clone.root / "face_sets/readers/toyset.py").write_text(READER)
    with (clone.root / "face_sets/sources.toml").open("a") as sources:
        sources.write(SOURCE)
    assert touched() == {"face_sets/readers/toyset.py", "face_sets/sources.toml"}
    (tmp_path / "toyset").mkdir()
    (tmp_path / "toyset" / "toy.csv").write_text("subject,grey,emotion\na,10,angry\nb,200,Happy\nc,90,fear\n")
    clone.environment["FER_DATA"] = str(tmp_path)
    assert {"toyset"} <= {row["name"] for row in clone.ferbook_json("data", "list") if row["found"]}
    opened = (
        "from face_sets.registry import FaceRequest, open_faces\n"
        "print(open_faces(FaceRequest('toyset', size=16)).pixels.mean())"
    )
    assert float(python(clone, opened)) == 100
    assert "toyset" in str(clone.ferbook_json("params", "faces"))


@pytest.mark.slow
def test_a_network_is_a_file_and_a_line(clone, touched):
    before = clone.ferbook_json("status", "--run", "reference")
    (clone.root / "fer_lib/nets/toynet.py").write_text(NETWORK)
    line = '    "zero_bias": ("ZeroBiasCNN", "zero_bias"),\n'
    edit(clone.root / "fer_lib/names.py", line, line + '    "toynet": ("ToyNet", "toynet"),\n')
    assert touched() == {"fer_lib/nets/toynet.py", "fer_lib/names.py"}
    assert clone.ferbook_json("status", "--run", "reference") == before
    assert "toynet" in str(clone.ferbook_json("params", "training"))
    built = "from fer_lib.nets.build import build_network, forward_macs\n"
    assert int(python(clone, built + "print(forward_macs(build_network('toynet', 7, 16), 16))")) == 7 * 256


@pytest.mark.slow
def test_a_method_is_a_function_below_its_name(clone, touched):
    before = clone.ferbook_json("status", "--run", "reference")["chapters"]
    file = clone.root / "fer_lib/look/attribution.py"
    file.write_text(file.read_text() + METHOD)
    assert touched() == {"fer_lib/look/attribution.py"}
    held = ["-q", "-k", "toy_method", "tests/fer_lib/look/test_attribution.py"]
    python(clone, f"import pytest; raise SystemExit(pytest.main({held}))")
    after = clone.ferbook_json("status", "--run", "reference")["chapters"]
    outdated = {new["chapter"] for old, new in zip(before, after, strict=True) if new != old}
    assert outdated == {"truth"}
