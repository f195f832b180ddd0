"""When units move in rendered clips, and whether a model that knows the order of the frames reads more of it.

Nothing is rendered: where the 68 landmarks lie is geometry.
"""

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold

from fer_lib.faces.frames import spread_evenly
from fer_lib.paths import cache_dir
from fer_lib.stats.classification import balanced_accuracy_of, confusion_sums
from fer_lib.stats.resampling import bootstrap
from ferbook.estimate import Estimate
from ferbook.page.tables import Table
from synthetic_faces.assets import load_assets
from synthetic_faces.domains import DOMAINS
from synthetic_faces.facs import AUS, action_weights
from synthetic_faces.landmarks import landmark_vertices
from synthetic_faces.people import draw_person
from synthetic_faces.produce import Recipe, picture_rows
from synthetic_faces.sequences import person_number
from synthetic_faces.timing import TIMINGS

JITTER = 0.15
"""Standard deviation of each coordinate of a landmark in millimetres: a tenth of a pixel of 96."""

FOLDS, MODES = 5, 10
"""Folds over people, and principal movements of the landmarks in which a frame is described."""


def unit_curves(people: int = 12, seed: int = 0) -> pd.DataFrame:
    """The course of the units in one clip of each emotion of ``micro``, that with the most units, by each of
    ``TIMINGS``.

    Columns: ``timing``, ``emotion``, ``au``, ``milliseconds`` since the onset, ``intensity`` in [0, 1],
    ``apex`` (milliseconds).
    """
    parts = []
    for timing in TIMINGS:
        rows = picture_rows(Recipe.of("micro", people, seed=seed, timing=timing))
        shown = rows.groupby("sequence", sort=False)[list(AUS)].max().gt(0).sum(axis=1)
        chosen = shown.groupby(rows.groupby("sequence", sort=False)["emotion"].first()).idxmax()
        clips = rows[rows["sequence"].isin(chosen)]
        clips = clips.assign(timing=timing)
        for column, number in (("milliseconds", "frame"), ("apex", "apex")):
            clips[column] = 1000 * (clips[number] - clips["onset"]) / clips["fps"]
        about = ["timing", "emotion", "milliseconds", "apex"]
        parts.append(clips.melt(about, list(AUS), "au", "intensity"))
    curves = pd.concat(parts)
    moving = curves.groupby(["timing", "emotion", "au"])["intensity"].transform("max").gt(0)
    order = ["timing", "emotion", "au", "milliseconds"]
    return curves[moving].astype({"au": pd.CategoricalDtype(AUS)}).sort_values(order, ignore_index=True)


def landmark_tracks(
    timing: str, people: int, frames: int, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How far the landmarks of the clips of ``micro`` have moved since the onset, across and up, in
    millimetres: float64 (C, ``frames``, 136); with the emotions and the subjects, (C,) each.

    The frames are spread evenly from onset to offset, the apex among them. The head keeps still, and a
    detector errs by ``JITTER``.
    """
    recipe = Recipe.of("micro", people, seed=seed, timing=timing)
    rows = picture_rows(recipe, lambda every, apex: spread_evenly(every, frames, apex))
    halves = [rows[[f"{au}_{half}" for au in AUS]].to_numpy() for half in ("left", "right")]
    intensities = np.stack(halves, axis=2).reshape(-1, frames, len(AUS), 2)
    assets, domain = load_assets(cache_dir()), DOMAINS["micro"]
    names = assets.action_names.tolist()
    moves = 1000 * assets.actions[:, landmark_vertices(assets)][..., [0, 2]].reshape(len(names), -1)
    who = np.array([sequence.subject for sequence in recipe.plan()])
    tracks = np.empty((len(who), frames, moves.shape[1]))
    for subject in np.unique(who):
        units = draw_person(assets, seed, person_number(domain, int(subject)), domain.looks).muscles.units
        for clip in np.flatnonzero(who == subject):
            weights = np.stack([action_weights(shown, units, names) for shown in intensities[clip]])
            tracks[clip] = weights @ moves
    tracks += JITTER * np.random.default_rng(seed).standard_normal(tracks.shape)
    clips = rows.iloc[::frames]
    return tracks - tracks[:, :1], clips["emotion"].to_numpy(str), clips["subject"].to_numpy(str)


def by_amount(tracks: np.ndarray) -> np.ndarray:
    """The frames of each of ``tracks`` (C, T, F) sorted by how far the landmarks have moved: the same frames,
    without their order in time.
    """
    return np.take_along_axis(tracks, np.linalg.norm(tracks, axis=2).argsort(axis=1)[..., None], axis=1)


def named_by_others(tracks: np.ndarray, labels: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """int64 (C,): the class of each of ``tracks`` (C, T, F) as a linear discriminant says that has learned
    from other people.

    Each clip is scaled to its own largest movement, each frame described by ``MODES`` principal movements of
    the people learned from; all frames of a clip are one vector. Every class counts the same.
    """
    amount = np.linalg.norm(tracks, axis=2).max(axis=1)
    scaled = tracks / amount[:, None, None]
    frames, classes = scaled.reshape(-1, scaled.shape[2]), np.unique(labels)
    named = np.empty(len(labels), np.int64)
    for learned, tested in GroupKFold(FOLDS).split(scaled, groups=subjects):
        modes = PCA(MODES, whiten=True, random_state=0).fit(scaled[learned].reshape(-1, scaled.shape[2]))
        described = modes.transform(frames).reshape(len(scaled), -1)
        priors = np.full(len(classes), 1 / len(classes))
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        named[tested] = model.fit(described[learned], labels[learned]).predict(described[tested])
    return named


def order_metrics(
    people: int = 52, frames: int = 12, seed: int = 0, draws: int = 2000
) -> dict[str, Estimate]:
    """What knowing the order of a clip's ``frames`` adds, by each of ``TIMINGS``, with the same model on the
    same frames of people whom it has not learned from; intervals draw people.

    ``order_known_<timing>`` and ``order_lost_<timing>``: balanced accuracy with the frames as filmed, and
    sorted ``by_amount``; ``order_adds_<timing>``: the difference; ``order_adds_more``: by how much more it is
    by unit than together; ``order_chance``.
    """
    sums = []
    for timing in TIMINGS:
        tracks, emotions, subjects = landmark_tracks(timing, people, frames, seed)
        classes, labels = np.unique(emotions, return_inverse=True)
        sums.append(
            [
                confusion_sums(labels, named_by_others(given, labels, subjects), subjects, len(classes))
                for given in (tracks, by_amount(tracks))
            ]
        )

    # (people, timings, order known or lost, classes, classes).
    counts = np.moveaxis(np.array(sums), 2, 0)

    def estimate(statistic) -> Estimate:
        settings = {"draws": draws, "seed": seed, "n": len(labels), "unit": "share", "tolerance": 0.02}
        return bootstrap(counts, lambda totals: statistic(balanced_accuracy_of(totals)), **settings)

    found = {}
    for place, timing in enumerate(TIMINGS):
        found[f"order_known_{timing}"] = estimate(lambda scores, k=place: scores[:, k, 0])
        found[f"order_lost_{timing}"] = estimate(lambda scores, k=place: scores[:, k, 1])
        found[f"order_adds_{timing}"] = estimate(lambda scores, k=place: scores[:, k, 0] - scores[:, k, 1])
    found["order_adds_more"] = estimate(lambda scores: np.diff(scores, axis=2)[..., 0] @ [-1, 1])
    chance = 1 / len(classes)
    return found | {"order_chance": Estimate(chance, unit="share", why="one over the number of classes")}


def order_table(metrics: dict[str, Estimate]) -> Table:
    """One row per timing of ``order_metrics``: balanced accuracy by whether the order is known, and the
    difference.
    """
    rows = {
        timing.replace("_", " "): {
            heading: metrics[f"order_{slug}_{timing}"]
            for heading, slug in (
                ("as filmed", "known"),
                ("sorted by amount", "lost"),
                ("difference", "adds"),
            )
        }
        for timing in TIMINGS
    }
    data = pd.DataFrame.from_dict(rows, orient="index").rename_axis("units move")
    caption = "Balanced accuracy of one model on the same frames, with and without their order"
    return Table(data, caption, tolerance=0.05)
