"""De-expression residue learning put to the test: whom the generator learns from, what is compared, and the
tables and metrics.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from book.derl.chapter import DerlParameters
from book.derl.pairs import expression_pairs, neutral_pairs, others_targets
from book.derl.stage_one import GanRecipe, GanTraining, train_generator
from book.derl.stage_two import ResidueRecipe
from book.derl.study import (
    CNN,
    DERL,
    FEATURES,
    PIXELS,
    SHUFFLED,
    SINGLE,
    UNTRAINED,
    USUAL,
    ResidueStudy,
    settle_statistics,
)
from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.folds import Protocol
from fer_lib.faces.shared import require_apart
from fer_lib.nets.derl import Generator
from fer_lib.stats.contest import BASELINE, CONTROL, NULL, OURS, Contender, Contest, hold_contest
from fer_lib.stats.resampling import RERUN_TOLERANCE
from fer_lib.train.precision import Precision
from ferbook.errors import DataError, ParameterError
from ferbook.estimate import Estimate
from ferbook.reported import CERTAINTIES, DERL_CLAIMS
from ferbook.text import NO_BREAK, interval_text

HELD_OUT = 8
"""One in so many of the people whom the generator learns from is held out: watched, and never chosen by."""

MAJORITY = "majority"

SHORT: dict[str, tuple[str, str]] = {
    DERL: (OURS, "DeRL: all layers"),
    CNN: (BASELINE, "plain CNN, equal size"),
    PIXELS: (BASELINE, "pixel difference"),
    FEATURES: (BASELINE, "CNN feature difference"),
    UNTRAINED: (CONTROL, "generator never trained"),
    SHUFFLED: (CONTROL, "generator of others' neutrals"),
    MAJORITY: (NULL, "commonest class"),
}
"""Slug in metrics -> kind and name of each condition of ``derl.study``; single layers are called by their
pair.
"""

_NAMED_SETS = {
    "ckplus": "CK+",
    "mmi": "MMI",
    "oulu_casia": "Oulu-CASIA",
    "bu3dfe": "BU-3DFE",
    "bp4dplus": "BP4D+",
}
"""Face set of a chapter -> its name in ``DERL_CLAIMS``."""


@dataclass(frozen=True, eq=False)
class Lessons:
    """Pairs of pictures that a generator learns from, and others that are watched.

    ``train`` and ``valid``: inputs and targets, uint8 (P, H, W) each, of people who are in one of the two
    only. ``subjects`` (P,): whose the training pairs are. ``about``: whose pictures they are, in a sentence.
    """

    train: tuple[np.ndarray, np.ndarray]
    valid: tuple[np.ndarray, np.ndarray]
    subjects: np.ndarray
    about: str

    @property
    def neutrals(self) -> np.ndarray:
        """uint8 (P, H, W): the different neutral pictures of the training people."""
        return np.unique(self.train[1], axis=0)


def draw_lessons(p: DerlParameters, faces: FaceSet, real: FaceSet | None = None) -> Lessons:
    """The pairs that the generator of a chapter with the parameters ``p`` learns from: of nobody in
    ``faces``.

    People rendered to order in the style of the set ``p.pretrain``, or the people of ``real``, a face set
    that has neutral pictures of them. The last eighth of the people, sorted, is held out. Raises
    ParameterError where a real set is asked for and None is given; DataError where it shares people or
    pictures with ``faces``, and where fewer than two people can be learned from.
    """
    if p.rendered_to_order:
        takes = max(1, p.pretrain_expressions // 2)
        inputs, targets, table = expression_pairs(
            p.pretrain_people,
            faces.size[0],
            p.face_seed,
            p.pretrain,
            expressions=p.pretrain_expressions,
            takes=takes,
        )
        subjects = table["subject"].to_numpy(dtype=object).astype(str)
        whose = f"people rendered to order, as those of {p.pretrain} are; each neutral face was rendered in the same take"
    else:
        if real is None:
            raise ParameterError(
                f"derl.pretrain: {p.pretrain!r} is not on this machine; `ferbook data` says how to get it. "
                "Give lab for rendered people"
            )
        require_apart(real, faces)
        pairs = neutral_pairs(real)
        inputs, targets = real.gather(pairs.inputs), real.gather(pairs.targets)
        subjects = pairs.subjects.astype(str)
        whose = f"people of {real.name}"
        if pairs.left_out:
            whose += f" ({len(pairs.left_out)} without a neutral picture are left out)"
    people = np.unique(subjects)
    held = max(1, len(people) // HELD_OUT)
    watched = np.isin(subjects, people[-held:])
    if len(people) - held < 2:
        raise DataError(f"{len(people)} people to learn neutral faces from; at least 3 are needed")
    parts = [(inputs[own], targets[own]) for own in (~watched, watched)]
    about = (
        f"The generator learns from {len(parts[0][0]):,} pairs of pictures of {len(people) - held} {whose}. "
        f"{len(parts[1][0]):,} pairs of {held} more are watched, and "
        f"decide nothing. None of them is among the people of {faces.name}."
    )
    return Lessons(*parts, subjects[~watched], about)


def gan_recipe(p: DerlParameters) -> GanRecipe:
    """How the generator of the chapter is trained."""
    return GanRecipe(p.gan_epochs, p.gan_batch, p.gan_lr, schedule="cosine", l1=p.l1)


def residue_recipe(p: DerlParameters) -> ResidueRecipe:
    """How the classifiers of the chapter's second stage are trained."""
    return ResidueRecipe(p.epochs, p.batch_size, p.lr, local=p.local, views=p.views)


def conditions(p: DerlParameters) -> tuple[str, ...]:
    """What the chapter compares: all conditions, or without the ablation DeRL and the two rivals of the
    paper's claim.
    """
    return USUAL if p.ablation else (DERL, PIXELS, CNN)


def beside_names(p: DerlParameters) -> tuple[str, ...]:
    """The face sets that the chapter opens beside its own."""
    return tuple(dict(source)["name"] for source in p.face_sources[1:])


def null_generators(
    lessons: Lessons,
    recipe: GanRecipe,
    *,
    shuffled: bool,
    seed: int,
    device: torch.device | str,
    precision: Precision,
) -> dict[str, Generator]:
    """The generators that did not learn to keep a person: ``untrained``, with its first weights, and where it
    is asked for ``shuffled``, trained as long on other people's neutral faces.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = Generator(lessons.train[0].shape[1], recipe.widths)
    settle_statistics(untrained, lessons.train[0], device=device)
    found = {"untrained": untrained.eval()}
    if shuffled:
        inputs, targets = lessons.train
        others = targets[others_targets(lessons.subjects, seed)]
        how = {"seed": seed, "device": device, "precision": precision}
        found["shuffled"] = train_generator(inputs, others, recipe, **how).generator
    return found


def gan_metrics(training: GanTraining, lessons: Lessons) -> dict[str, Estimate]:
    """``generator_pairs`` learned from, ``generator_epochs``, and of the last epoch: ``generator_l1`` of the
    pairs watched (grey levels of 255), ``discriminator_right``, the share of patches that it judges rightly.
    """
    last = training.curve.iloc[-1]
    right = (last["real_accuracy"] + last["fake_accuracy"]) / 2
    return {
        "generator_pairs": Estimate(len(lessons.train[0]), unit="count"),
        "generator_epochs": Estimate(training.epoch, unit="count"),
        "generator_l1": Estimate(255 * last["valid_l1"], n=len(lessons.valid[0]), tolerance=5),
        "discriminator_right": Estimate(right, unit="share", tolerance=0.2),
    }


def commonest_answers(faces: FaceSet, protocol: Protocol, study: ResidueStudy) -> np.ndarray:
    """float32 (P, classes): for each picture of ``study`` the commonest class of its fold's training
    pictures, with certainty.
    """
    emotions = faces.labelled().table["emotion"].to_numpy(dtype=object)
    codes = pd.Index(protocol.classes).get_indexer(emotions)
    answers = np.zeros((len(study.rows), len(protocol.classes)), np.float32)
    start = 0
    for fold in protocol.folds[: study.trainings["fold"].nunique()]:
        commonest = np.bincount(codes[fold.train]).argmax()
        answers[start : start + len(fold.test), commonest] = 1
        start += len(fold.test)
    return answers


def contenders(study: ResidueStudy, commonest: np.ndarray) -> list[Contender]:
    """The conditions of ``study`` in the order to be shown, DeRL first, and always answering with the
    ``commonest`` class.
    """
    conditions = list(study.table["condition"].unique())
    single = [name for name in conditions if name not in SHORT]
    found = []
    for slug in (DERL, *single, *SHORT):
        if slug not in conditions or slug in {name for name, _ in found}:
            continue
        kind, name = SHORT.get(slug, (SINGLE, _layer_name(slug)))
        own = study.probabilities[study.table["condition"].eq(slug).to_numpy()]
        found.append((slug, Contender(name, kind, own)))
    kind, name = SHORT[MAJORITY]
    return [contender for _, contender in found] + [Contender(name, kind, commonest[None], seeded=False)]


def _layer_name(pair: str) -> str:
    side = pair.removeprefix("pair")
    return f"layers of {side} × {side} only"


def contest_of(
    study: ResidueStudy, faces: FaceSet, protocol: Protocol, *, draws: int = 2000, seed: int = 0
) -> Contest:
    """All conditions of ``study``, scored on the same pictures of the same people of ``faces``; where nobody
    is named every picture stands for itself.
    """
    subjects = study.subjects.astype(str)
    alone = np.char.add("picture ", study.rows.astype(str))
    own = contenders(study, commonest_answers(faces, protocol, study))
    people = np.where(subjects == "", alone, subjects)
    return hold_contest(own, study.labels, people, draws=draws, seed=seed)


def contest_metrics(contest: Contest, study: ResidueStudy) -> dict[str, Estimate]:
    """``accuracy``, ``macro_f1`` and ``balanced_accuracy`` of DeRL; of each other condition
    ``<slug>_accuracy`` and ``ahead_of_<slug>``, how far DeRL is ahead in accuracy (points).

    ``best_layer_accuracy``, of the single pair with the best validation accuracy, and
    ``ahead_of_best_layer``; ``tested``, ``people``, ``folds``, ``trainings``; ``seed_spread`` (points), where
    a condition was trained more than once.
    """
    first = contest.names[0]
    found = {name: contest.score(first, name) for name in ("accuracy", "macro_f1", "balanced_accuracy")}
    slugs = {name: slug for slug, (_, name) in SHORT.items()}
    pairs = [name for name in study.table["condition"] if name not in SHORT]
    slugs |= {_layer_name(pair): pair for pair in pairs}
    for name in contest.names[1:]:
        found[f"{slugs[name]}_accuracy"] = contest.score(name, "accuracy")
        found[f"ahead_of_{slugs[name]}"] = contest.ahead(name, "accuracy")
    if pairs:
        valid = study.table.groupby("condition", sort=False)["valid_accuracy"].mean()
        best = valid[list(dict.fromkeys(pairs))].idxmax()
        found["best_layer_accuracy"] = found[f"{best}_accuracy"]
        found["ahead_of_best_layer"] = found[f"ahead_of_{best}"]
    counts = {
        "tested": len(study.rows),
        "people": len(np.unique(study.subjects[study.subjects != ""])),
        "folds": study.trainings["fold"].nunique(),
        "trainings": len(study.trainings),
    }
    found |= {name: Estimate(count, unit="count") for name, count in counts.items()}
    if contest.scored.freedom:
        spread = 100 * contest.scored.spread["accuracy"]
        why = f"pooled over the conditions, {contest.scored.freedom} degrees of freedom"
        found["seed_spread"] = Estimate(spread, why=why, tolerance=100 * RERUN_TOLERANCE)
    return found


def condition_table(study: ResidueStudy, contest: Contest) -> pd.DataFrame:
    """One row per condition for the page: ``condition``, ``what the classifier sees``, weights ``learned from
    labels`` and ``frozen``, ``accuracy`` and ``macro F1`` with intervals as text.
    """
    rows = []
    for slug, part in study.table.groupby("condition", sort=False):
        name = SHORT.get(slug, (SINGLE, _layer_name(slug)))[1]
        rows.append(
            {
                "condition": name,
                "what the classifier sees": part["about"].iloc[0],
                "learned from labels": int(part["parameters"].iloc[0]),
                "frozen": int(part["frozen"].iloc[0]),
                "accuracy": _bounded(contest.score(name, "accuracy")),
                "macro F1": _bounded(contest.score(name, "macro_f1")),
            }
        )
    order = {name: place for place, name in enumerate(contest.names)}
    return pd.DataFrame(sorted(rows, key=lambda row: order[row["condition"]]))


def _bounded(found: Estimate) -> str:
    bounds = "" if found.low is None else f" ({100 * found.low:.1f}–{100 * found.high:.1f})"
    return f"{100 * found.value:.1f}{bounds}"


def claims_beside(faces: str, metrics: Mapping[str, Mapping]) -> pd.DataFrame:
    """What the paper reports per face set, and what this run found on the one that it is about: ``faces``,
    ``Yang et al. 2018``, ``how sure``, ``DeRL here``, ``plain CNN here``.
    """
    here = {
        "DeRL here": interval_text(metrics["accuracy"]),
        "plain CNN here": interval_text(metrics["cnn_accuracy"]),
    }
    own = _NAMED_SETS.get(faces)
    rows = []
    for claim in DERL_CLAIMS:
        row = {
            "faces": claim.faces,
            "Yang et al. 2018": f"{100 * claim.accuracy:.4g}{NO_BREAK}%",
            "how sure": f"{claim.certainty}: {CERTAINTIES[claim.certainty]}",
        }
        rows.append(row | (here if claim.faces == own else dict.fromkeys(here)))
    if own is None:
        rows.append(
            {"faces": f"{faces} (this run)", "Yang et al. 2018": None, "how sure": "no number", **here}
        )
    return pd.DataFrame(rows)
