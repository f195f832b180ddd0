"""Functions of files in a process of their own, and in the sandbox: what they may do, and what is refused by
name.
"""

import numpy as np
import pytest
import torch

from book.entries import LABEL_ENTRY, MAP_ENTRY, WITHHELD, EntryProcess, SealedEntry, read_method, read_source
from fer_lib.aus.labels import LABELLERS
from fer_lib.look.attribution import EXPLAINERS
from fer_lib.nets.build import build_network
from ferbook.course.sandbox import choose_isolation
from ferbook.errors import DataError, MissingError

AT = np.array([0, 1]), np.array([0, 3]), np.array([[1, 0], [1, 2]])
SIGNATURE = "def explain(network, layer, pictures, rows, filters, positions):"


@pytest.fixture
def given():
    network = build_network("zero_bias", 3, 16, generator=torch.Generator().manual_seed(1)).eval()
    return network, "relu3", np.random.default_rng(0).integers(0, 256, (2, 16, 16), dtype=np.uint8), *AT


METHOD = f"""
import os
from fer_lib.look.attribution import EXPLAINERS
{SIGNATURE}
    if layer == "relu3":
        print("working")
        return EXPLAINERS["gradient"](network, layer, pictures, rows, filters, positions)
    if layer == "raises":
        return pictures[99]
    if layer == "changes":
        next(network.parameters()).data += 1
    if layer == "gpu":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if layer == "ends":
        os._exit(0)
    while layer == "hangs":
        pass
    return pictures[:1]
"""
"""Does what the layer is called."""

FAULTS = {
    "raises": r"it raised IndexError: index 99 is out .* \(line 9\)",
    "changes": "changed the network",
    "shape": r"returned uint8 \(1, 16, 16\); expected numbers \(2, 16, 16\)",
    "gpu": "it needs a GPU, and there is none here",
    "ends": "its process ended by itself",
}


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_method_in_a_file_gives_what_it_gives_here_and_its_faults_are_named(tmp_path, given, capfd):
    (tmp_path / "mine.py").write_text(METHOD)
    network, _, *rest = given
    with EntryProcess(tmp_path / "mine.py") as method:
        assert np.array_equal(method(*given), EXPLAINERS["gradient"](*given))
        for layer, told in FAULTS.items():
            with pytest.raises(DataError, match=rf"mine\.py: .*{told}"):
                method(network, layer, *rest)
    assert capfd.readouterr().out == "", "what it prints is no answer of the command's"


@pytest.mark.slow
def test_a_method_that_hangs_is_ended(tmp_path, given):
    (tmp_path / "mine.py").write_text(METHOD)
    network, _, *rest = given
    with EntryProcess(tmp_path / "mine.py", 5) as method, pytest.raises(DataError, match="took longer than"):
        method(network, "hangs", *rest)


@pytest.mark.parametrize(
    ("kind", "source", "told"),
    [
        (MAP_ENTRY, "def explain(network): pass", r"does not take \(network, layer, pictures"),
        (MAP_ENTRY, "explain = 3", "defines no function `explain`"),
        (LABEL_ENTRY, "def label(responses): pass", r"does not take \(responses, presence\)"),
        (LABEL_ENTRY, "def explain(): pass", "defines no function `label`"),
    ],
)
def test_a_file_without_the_function_is_refused(kind, source, told, tmp_path):
    (tmp_path / "mine.py").write_text(source)
    with pytest.raises(DataError, match=told):
        read_method(str(tmp_path / "mine.py"), kind)


def test_a_file_may_have_any_ending_and_is_in_utf_8(tmp_path):
    file = tmp_path / "rule.txt"
    file.write_text("def label(responses, presence): pass")
    assert callable(read_method(str(file), LABEL_ENTRY))
    file.write_bytes(b"# tr\xe8s bien\ndef label(responses, presence): pass")
    with pytest.raises(DataError, match=r"rule\.txt: not UTF-8 at byte 4"):
        read_source(file)


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.py: no such file"):
        EntryProcess(tmp_path / "absent.py")


RULE = """
import os
import numpy as np
from fer_lib.aus.labels import LABELLERS
def label(responses, presence):
    what = int(responses[0, 0])
    if what == 1:
        return presence
    if what == 2:
        return np.full((3, 2), np.nan)
    if what == 3:
        presence[:] = 0
        return np.zeros((3, 2))
    if what == 4:
        os._exit(0)
    return LABELLERS["smd"](responses, presence)
"""
RULE_FAULTS = {
    1: r"returned float32 \(20, 2\); expected numbers \(3, 2\)",
    2: "filter 0, unit 0: its score is nan",
    3: "changed the responses or the labels",
    4: "its process ended by itself",
}


def labelled(what: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    responses = rng.random((20, 3))
    responses[0, 0] += what
    return responses, (rng.random((20, 2)) < 0.4).astype(np.float32)


def test_a_rule_in_a_file_gives_what_it_gives_here_and_its_faults_are_named(tmp_path):
    (tmp_path / "mine.py").write_text(RULE)
    with EntryProcess(tmp_path / "mine.py", kind=LABEL_ENTRY) as rule:
        assert np.array_equal(rule(*labelled()), LABELLERS["smd"](*labelled()))
        for what, told in RULE_FAULTS.items():
            with pytest.raises(DataError, match=rf"mine\.py: .*{told}"):
                rule(*labelled(what))


@pytest.fixture
def isolation():
    try:
        return choose_isolation([])
    except MissingError as fault:
        pytest.skip(f"no isolation works here: {fault}")


@pytest.mark.slow
@pytest.mark.isolation
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_sealed_method_gives_what_it_gives_here_and_its_faults_are_named(isolation, tmp_path, given):
    (tmp_path / "mine.py").write_text(METHOD)
    network, _, *rest = given
    with SealedEntry(tmp_path / "mine.py") as method:
        assert method.isolation == isolation
        assert np.allclose(method(*given), EXPLAINERS["gradient"](*given), atol=1e-6)
        before = {name: value.clone() for name, value in network.state_dict().items()}
        assert method(network, "changes", *rest).shape == (1, 16, 16), "it changed a network of its own"
        assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
        for layer in ("raises", "gpu", "ends"):
            with pytest.raises(DataError, match=rf"mine\.py: .*{FAULTS[layer].partition(' .*')[0]}"):
                method(network, layer, *rest)


SPY = """
import gc, importlib, os, sys
import numpy as np
def label(responses, presence):
    found = []
    for name in {withheld}:
        try:
            importlib.import_module(name)
            found.append(name)
        except ImportError:
            pass
    found += [os.path.basename(path) for path in {paths} if os.path.exists(path)]
    frame = sys._getframe()
    while frame is not None:
        for name, value in frame.f_locals.items():
            if type(value).__name__ in ("LabelTrial", "MapTrial", "Twins", "FaceSet", "Interventions"):
                found.append(name)
        frame = frame.f_back
    kinds = [type(each).__name__ for each in gc.get_objects()]
    found += [kind for kind in kinds if kind in ("FaceSet", "LabelTrial", "MapTrial")]
    raise RuntimeError("found " + " ".join(found) + ".")
"""


@pytest.mark.slow
@pytest.mark.isolation
def test_a_sealed_rule_finds_nothing_that_knows_the_truth(isolation, tmp_path):
    secret = tmp_path / "truth.npz"
    secret.write_bytes(b"masks")
    (tmp_path / "spy.py").write_text(SPY.format(withheld=WITHHELD, paths=[str(secret)]))
    with EntryProcess(tmp_path / "spy.py", kind=LABEL_ENTRY) as rule, pytest.raises(DataError) as open_:
        rule(*labelled())
    assert "truth.npz" in str(open_.value) and WITHHELD[0] in str(open_.value), "the spy can see"
    with SealedEntry(tmp_path / "spy.py", kind=LABEL_ENTRY) as rule, pytest.raises(DataError) as sealed:
        rule(*labelled())
    assert "found ." in str(sealed.value)


def test_where_nothing_isolates_that_is_said(monkeypatch, tmp_path):
    (tmp_path / "mine.py").write_text(RULE)
    monkeypatch.setattr("ferbook.course.sandbox.shutil.which", lambda name: None)
    with pytest.raises(MissingError, match=r"no way to isolate a sealed entry works here .*--sealed"):
        SealedEntry(tmp_path / "mine.py", kind=LABEL_ENTRY)
