"""What ``fer_lib`` hands on, and its scripts, as they stand in its docstring and on the page."""

import pydoc
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from fastai.callback.mixup import MixUp
from fastai.callback.tracker import SaveModelCallback
from fastai.interpret import ClassificationInterpretation

import fer_lib
from fer_lib.nets.zero_bias import ZeroBiasCNN
from fer_lib.train.learner import face_learner
from fer_lib.train.predict import predict
from fer_lib.train.recipe import TrainingRecipe

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [
    re.sub(r"^    ", "", block, flags=re.MULTILINE).strip()
    for block in re.findall(r"::\n\n((?:    .*\n|\n)+)", fer_lib.__doc__)
]


TRAINED = [pytest.param(number, marks=pytest.mark.slow) for number in (0, 1)]


@pytest.mark.parametrize("number", [*TRAINED, 2, 3], ids=["emotions", "clips", "deconvolution", "units"])
def test_a_script_of_twelve_lines_runs(number, monkeypatch, tmp_path, capsys):
    script, found = SCRIPTS[number], {}
    assert sum(bool(line) for line in script.splitlines()) <= 12
    (tmp_path / "runs").symlink_to(ROOT / "runs")
    monkeypatch.chdir(tmp_path)
    exec(compile(script, "script", "exec"), found)
    if number < 2:
        learner, shares, labels = found["learner"], found["shares"], found["labels"]
        assert torch.allclose(shares.sum(1), torch.ones(len(shares)), atol=1e-5)
        assert len(shares) == len(labels) == learner.dls.valid.n
    elif number == 2:
        maps = found["projections"].whole()
        assert maps.shape == (9, 48, 48) and (maps != 0).any((1, 2)).all()
        assert plt.imread("maps.png").shape == plt.imread("pictures.png").shape == (48, 9 * 48, 4)
    else:
        unit, auroc = capsys.readouterr().out.split()
        assert unit.startswith("AU") and 0.5 < float(auroc) <= 1


def test_the_page_shows_the_same_scripts():
    page = (ROOT / "book" / "rerun.md").read_text()
    assert len(SCRIPTS) == 4
    for script in SCRIPTS:
        assert f"```python\n{script}\n```" in page


def test_help_lists_every_public_name_of_which_there_are_at_most_25():
    assert len(fer_lib._HOMES) <= 25
    listed = set(re.findall(r"``(\w+)``", fer_lib.__doc__)) - {"Learner", "help"}
    assert listed == set(fer_lib._HOMES)
    shown = pydoc.plain(pydoc.render_doc(fer_lib))
    assert all(re.search(rf"^    (class )?{name}\(", shown, re.MULTILINE) for name in fer_lib._HOMES)
    for name in fer_lib._HOMES:
        assert getattr(fer_lib, name) is not None and name in dir(fer_lib)
    with pytest.raises(AttributeError, match="has no attribute 'trains'"):
        fer_lib.trains  # noqa: B018


@pytest.mark.defect("M6")
@pytest.mark.parametrize(
    "options", [{}, {"loss": "centre"}, {"loss": "label_smoothing"}, {"optimiser": "muon"}], ids=str
)
def test_the_learner_does_what_one_of_fastai_does(striped_faces, classes, options, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = ZeroBiasCNN(2, 16, generator=torch.Generator().manual_seed(0))
    recipe = TrainingRecipe(batch_size=8, augment="standard", **options)
    learner = face_learner(striped_faces, model, classes, recipe, precision="fp32")
    with learner.no_bar(), learner.no_logging():
        before = model.conv1.weight.clone()
        assert 1e-7 < learner.lr_find(show_plot=False, num_it=20).valley < 10
        assert torch.equal(model.conv1.weight, before), "the search leaves the weights as they were"
        learner.fit_one_cycle(4, 0.02, cbs=SaveModelCallback(monitor="accuracy"))
        curve = list(learner.recorder.values)
        valid = list(learner.validate())
        assert valid == pytest.approx(list(learner.validate())) and len(curve) == 4
        shares, labels = learner.get_preds()
        each = learner.get_preds(with_loss=True)[2]
        shown = ClassificationInterpretation.from_learner(learner)
        train_shares, train_labels = learner.get_preds(ds_idx=0)
    part, own = striped_faces.split("valid"), striped_faces.split("train")
    assert labels.tolist() == part.labels(classes).tolist()
    np.testing.assert_allclose(shares, predict(model, part), atol=1e-6)
    assert valid[1] == pytest.approx((shares.argmax(1) == labels).float().mean().item())
    assert (shown.confusion_matrix().diagonal().sum() / 16) == pytest.approx(valid[1]) and len(each) == 16
    assert shown.vocab.items == list(classes)
    # In the pictures' order, unaugmented.
    assert train_labels.tolist() == own.labels(classes).tolist()
    np.testing.assert_allclose(train_shares, predict(model, own), atol=1e-6)
    assert not model.output._forward_pre_hooks


def test_fastais_mixup_mixes_the_losses_of_class_numbers(striped_faces, classes):
    torch.manual_seed(0)
    recipe = TrainingRecipe(batch_size=8, augment="none")
    learner = face_learner(striped_faces, ZeroBiasCNN(2, 16), classes, recipe, precision="fp32")
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(8, 0.02, cbs=MixUp(0.2))
        assert learner.validate()[1] > 0.9
