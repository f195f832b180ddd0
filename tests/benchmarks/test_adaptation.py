"""Self-training on patterns whose shift is known, and PrivateTest, which is read once."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from fer_lib.faces.readers.fer2013 import CODES
from ferbook.errors import DataError, ParameterError
from synthetic_faces.facs import AUS

SIDE = 24
HEIGHT, WIDTH = np.mgrid[:SIDE, :SIDE] * 2 * np.pi
FAR = np.hypot(*(np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2))


@pytest.fixture
def adaptation(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))
    import adaptation

    monkeypatch.setattr(adaptation, "RESULTS", tmp_path / "rows.csv")
    return adaptation


def patterns(number, veil, seed):
    """Stripes, a board, a disc and a ring in turn, pixels uint8 (N, 24, 24), below a ``veil`` of noise; and
    their classes."""
    generator, pictures = np.random.default_rng(seed), []
    for row in range(number):
        waves = [
            np.sin(axis / period + generator.uniform(0, 6)) for axis in (HEIGHT, WIDTH) for period in (5, 12)
        ]
        board = np.sin(HEIGHT / 8) * np.sin(WIDTH / 8)
        disc, ring = np.where(FAR < 7, 1, -1), np.where(abs(FAR - 8) < 2, 1, -1)
        pattern = [*waves, board, disc, ring][row % len(CODES)]
        pictures.append(127 + 60 * ((1 - veil) * pattern + veil * generator.normal(size=(SIDE, SIDE))))
    pixels = torch.tensor(np.clip(pictures, 0, 255).astype(np.uint8))
    return pixels, torch.arange(number) % len(CODES)


def test_self_training_gains_where_pictures_are_veiled(adaptation):
    torch.manual_seed(0)
    (clean, labels), (veiled, truth) = patterns(384, 0.1, seed=0), patterns(490, 0.7, seed=1)
    rendered = (clean, labels, torch.zeros(len(clean), len(AUS)))
    net = adaptation.real_gap.trained(adaptation.compact_residual((8, 16, 32)), *rendered, epochs=5)

    def right(reader):
        return (adaptation.real_gap.read(reader, veiled) == truth.numpy()).mean()

    before, statistics = right(net), right(adaptation.settle(net, veiled))
    after = right(adaptation.adapted(net, rendered, veiled, steps=30))
    assert before + 0.1 < statistics and statistics + 0.04 < after


def test_the_surest_of_each_class(adaptation):
    scores = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.8, 0.2], [0.45, 0.55], [0.2, 0.8]])
    assert adaptation.surest(scores, 0.5).tolist() == [True, False, False, True, False, True]
    assert adaptation.surest(scores, 0.1).tolist() == [True, False, False, False, False, True]


@pytest.mark.parametrize("recipe", ["again", "residual+agan", ""])
def test_another_recipe_is_named(adaptation, recipe):
    with pytest.raises(ParameterError, match="residual, or residual"):
        adaptation.stages(recipe, 0, None)


def test_figures_by_hand(adaptation):
    truth = np.repeat(np.arange(len(CODES)), 20)
    other = truth.copy()
    other[:10] = 1  # half of anger is called disgust
    other[20:40] = 0  # and all disgust anger: no clear picture
    clear = truth != 1
    figures = adaptation.estimates(np.stack([truth, other]), truth, clear)
    assert figures["balanced"].value == pytest.approx((1 + 5.5 / 7) / 2)
    assert figures["clear"].value == pytest.approx((1 + 4.5 / 5) / 2)
    assert figures["balanced"].low < figures["balanced"].value < figures["balanced"].high


def test_private_test_is_read_once_for_a_recipe(adaptation, monkeypatch, capsys):
    about = {f"vote_{emotion}": 10 for emotion in CODES}
    emotions = np.resize(CODES, 140)
    splits = np.repeat(["train", "test"], 70)
    from contest import noise

    photographs = noise(140, 16, emotion=emotions, split=splits, **about)
    requests = []

    def stages(recipe, seed, faces):
        requests.append((recipe, seed))
        return {
            stage: (adaptation.compact_residual((4, 4, 4)).eval(), 0.0) for stage in ("rendered", "adapted")
        }

    monkeypatch.setattr(adaptation, "stages", stages)
    monkeypatch.setattr(adaptation, "read_fer2013", lambda folder: photographs)
    monkeypatch.setattr(adaptation, "CURVE_STEPS", {10: 1})

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["adaptation.py", *words])
        adaptation.main()
        return adaptation.results()

    assert list(command("final", "residual")["stage"]) == ["rendered", "adapted"]
    before = adaptation.RESULTS.read_text()
    with pytest.raises(DataError, match="PrivateTest was read for residual"):
        command("final", "residual")
    assert adaptation.RESULTS.read_text() == before and requests == [("residual", seed) for seed in range(3)]
    rows = command("curve", "residual")
    assert rows["labels"].tolist() == [0, 0, 10, 10, 10] and set(rows["split"]) == {"test"}
    with pytest.raises(DataError, match="PrivateTest was read for residual"):
        command("curve", "residual")
    assert len(command("final", "residual+again")) == 7
    capsys.readouterr()
    command()
    assert "residual" in capsys.readouterr().out
