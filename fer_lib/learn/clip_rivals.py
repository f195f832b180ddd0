"""What an LSTM on a trained network's features stands beside: the same with something taken away, and ways without an LSTM."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from fer_lib.faces.clips import Clips
from fer_lib.faces.frames import FEWEST_FRAMES
from fer_lib.learn.clip_controls import CONTROLS, controlled
from fer_lib.learn.clip_learner import ClipRecipe
from fer_lib.learn.clip_linear import ClipAnswers, chance_answers, linear_answers, majority_answers
from fer_lib.learn.clip_study import ClipFold, ClipStudy, leave_one_out
from fer_lib.learn.clip_tuning import tuned_features
from fer_lib.learn.features import difference_to_onset
from fer_lib.learn.lbp_top import candidate_features
from fer_lib.learn.optical_flow import flow_features
from fer_lib.learn.recipe import Recipe
from fer_lib.models.classifier import Classifier

UNTRAINED, AS_THEY_ARE = "untrained", "features"
"""Names of the controls beside ``CONTROLS``: features of an untrained network, and features that no onset was taken from."""


def control_studies(
    features: np.ndarray,
    untrained: np.ndarray,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    recipe: ClipRecipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> dict[str, ClipStudy]:
    """The study of ``learn.clip_study.leave_one_out`` by one ``recipe``, once for each thing that may be taken away, by its name.

    The names: those of ``learn.clip_controls.CONTROLS``; ``AS_THEY_ARE``, the features without a difference to the onset; ``UNTRAINED``, those of another network,
    ``untrained`` float32 (C, T, F'). ``seed`` draws what a control draws. Raises as ``leave_one_out``.
    """
    study = partial(
        leave_one_out,
        clips=clips,
        classes=classes,
        folds=folds,
        seeds=seeds,
        device=device,
        watch_test=False,
    )
    found = {
        name: study(
            features, recipes=[recipe], control=partial(controlled, clips=clips, name=name, seed=seed)
        )
        for name in CONTROLS
    }
    found[AS_THEY_ARE] = study(features, recipes=[replace(recipe, input="features")])
    found[UNTRAINED] = study(untrained, recipes=[recipe])
    return found


TUNING = Recipe(epochs=10, lr=0.003)
"""Of the CNN, per fold: a tenth of the rate that it was taught with, so that what it knows of expressions is changed and not replaced."""


def tuned_study(
    model: Classifier,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    recipe: ClipRecipe,
    seeds: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    seed: int = 0,
) -> ClipStudy:
    """The study on features of a CNN of each fold's own: ``model``, fine-tuned by ``TUNING`` on the apex frames of the fold's training people.

    ``seed`` draws the new last layers. Raises as ``learn.clip_tuning.tuned_features`` and ``leave_one_out``.
    """
    # In one number format wherever it runs, so that another machine's choice changes no result.
    how = {"precision": "fp32", "device": device, "seed": seed}
    features = tuned_features(model, clips, classes, folds, TUNING, **how)
    return leave_one_out(features, clips, classes, folds, [recipe], seeds, device=device, watch_test=False)


def baseline_answers(
    features: np.ndarray,
    clips: Clips,
    classes: tuple[str, ...],
    folds: Sequence[ClipFold],
    *,
    seed: int = 0,
) -> dict[str, ClipAnswers]:
    """Answers of everything without an LSTM, by name, clip by clip from who never saw its person.

    ``apex_features``: a linear machine on what the ``features`` (C, T, F) at the apex differ from those at the onset; ``optical_flow`` and ``lbp_top``, the same on these
    descriptions, the latter only where every clip is long enough for patterns over time; ``majority`` and ``chance``. Raises as ``linear_answers``.
    """
    moved = difference_to_onset(features, clips.lengths)
    described = {
        "apex_features": moved[np.arange(len(clips)), clips.apex_at],
        "optical_flow": flow_features(clips),
    }
    if clips.lengths.min() >= FEWEST_FRAMES:
        described["lbp_top"] = candidate_features(clips)
    found = {name: linear_answers(given, clips, classes, folds) for name, given in described.items()}
    found["majority"] = majority_answers(clips, classes, folds)
    found["chance"] = chance_answers(clips, classes, folds, [seed])
    return found
