"""What a layer's projections say: where they lie, whether they show the network, and what follows."""

import html
from collections.abc import Sequence
from typing import get_args

import numpy as np
import pandas as pd
from torch import nn

from book.deconvolution.layer_view import LayerView
from fer_lib.faces.faceset import FaceSet
from fer_lib.look.controls import receptive_fields
from fer_lib.look.deconvolution import Method
from fer_lib.look.localisation import scores, summarise
from fer_lib.look.regions import region_aus, regions_of
from fer_lib.look.sanity import cascading_randomisation, compare_networks, shift_equivariance, verdicts
from ferbook.estimate import Estimate
from ferbook.text import NO_BREAK, number_text

METHODS: tuple[Method, ...] = get_args(Method)

RERUN_TOLERANCE = 0.05
"""How far similarities and shares may move where another processor adds up in another order: a weak maximum
may change its place.
"""

MATCHED_PICTURES = 300
"""Pictures by whose responses the filters of two networks are matched: enough to tell which two go together."""

RIVALS = {
    "wrong_au": "the same maps in other units' regions",
    "other_filter": "maps of other filters",
    "field": "the receptive field as a whole",
    "field_edges": "edges within the receptive field",
    "edges": "edges of the whole picture",
    "centre": "the middle of the picture",
}
"""The controls that a filter's maps have to beat for its place to mean anything, see
``look.localisation.KINDS``, in words.
"""


def shown_aus(faces: FaceSet) -> tuple[str, ...]:
    """The action units of ``faces`` that some picture shows and whose regions are known; none where the set
    has no regions.
    """
    known = region_aus(faces)
    return tuple(au for au in faces.aus if au in known and faces.table[au].gt(0).any())


def locate(view: LayerView, count: int, *, seed: int = 0) -> pd.DataFrame | None:
    """Score the projections of ``count`` filters against regions of action units:
    ``look.localisation.scores``; None where no regions are known.

    The filters are ``view.sample(count)`` with all their top pictures. Each is held to the action unit in
    whose region its maps of the other half of the people concentrate most, and so is each kind of control
    map: the choice favours nobody.
    """
    aus = shown_aus(view.faces)
    if not aus:
        return None
    pairs = np.concatenate([np.array(view.pairs_of(number)) for number in view.sample(count)])
    rows, filters = view.rows[pairs], view.filters[pairs]
    maps = np.stack([view.projections.whole(pair) for pair in pairs])
    regions = regions_of(view.faces, rows, aus)
    subjects = _known_subjects(view.faces, rows)
    seen = receptive_fields(view.projections.corners[pairs], view.field.size, view.faces.size)
    pictures = view.faces.gather(rows)
    return scores(maps, regions, aus, None, subjects, filters, pictures, fields=seen, seed=seed)


def _known_subjects(faces: FaceSet, rows: np.ndarray) -> np.ndarray:
    """Whose each picture is; one of somebody unknown is somebody else's than all others."""
    subjects = faces.table["subject"].to_numpy(object)[rows]
    return np.where(subjects == "", [f"picture {row}" for row in rows], subjects).astype(object)


def with_untrained(summary: pd.DataFrame, untrained: pd.DataFrame) -> pd.DataFrame:
    """``summary`` (of ``look.localisation.summarise``) and, as one kind more, the own maps of an untrained
    network, from its summary.

    Its filters are others, held to regions of their own in the same way, so there is no paired gain.
    """
    own = untrained[untrained["kind"].eq("ours")].assign(kind="untrained")
    return pd.concat([summary, own], ignore_index=True)


def localisation_metrics(summary: pd.DataFrame) -> dict[str, Estimate]:
    """``concentration``, ``pointing_game`` and ``iou`` of the filters' own maps, and of each the gain over
    every rival: ``concentration_gain_edges`` …

    With the untrained network's (``with_untrained``) its own: ``concentration_untrained`` …
    """
    found = {}
    draws = "95 % expanded percentile bootstrap over subjects"
    for row in summary.itertuples():
        if row.measure == "energy_share":
            continue
        unit = "" if row.measure == "concentration" else "share"
        bounds = {"n": row.n, "unit": unit, "tolerance": 0.5 if not unit else RERUN_TOLERANCE}
        if row.kind in ("ours", "untrained"):
            name = row.measure if row.kind == "ours" else f"{row.measure}_untrained"
            found[name] = _metric(row.value, row.low, row.high, draws, bounds)
        elif row.kind in RIVALS and np.isfinite(row.gain):
            name = f"{row.measure}_gain_{row.kind}"
            found[name] = _metric(row.gain, row.gain_low, row.gain_high, draws, bounds)
    return found


def _metric(value: float, low: float, high: float, method: str, further: dict) -> Estimate:
    return Estimate.bounded(value, low, high, how=method, **further)


def unit_table(scored: pd.DataFrame, *, draws: int = 1000, seed: int = 0) -> pd.DataFrame:
    """One row per action unit: how many filters and pairs are held to it, their concentration, and its gain
    over edges within the receptive field.
    """
    scored = scored[scored["au"].ne("")]  # a filter seen with half of the people only is held to nothing
    summary = summarise(scored, ("au",), draws=draws, seed=seed)
    part = summary[summary["measure"].eq("concentration")]
    own, rival = (part[part["kind"].eq(kind)].set_index("au") for kind in ("ours", "field_edges"))
    filters = scored[scored["kind"].eq("ours")].groupby("au")["filter"].nunique()
    table = pd.DataFrame(
        {
            "filters": filters,
            "pairs": own["n"],
            "people": own["subjects"],
            "concentration": [_bounded(*cell) for cell in own[["value", "low", "high"]].to_numpy()],
            "more than edges": [
                _bounded(*cell) for cell in rival[["gain", "gain_low", "gain_high"]].to_numpy()
            ],
        }
    )
    return table.loc[sorted(table.index, key=lambda au: int(au[2:]))].rename_axis("")


def _bounded(value: float, low: float, high: float) -> str | None:
    if np.isnan(value):
        return None
    bounds = "" if np.isnan(low) else f" ({low:.1f} to {high:.1f})"
    return f"{value:.1f}{bounds}".replace("-", "−")


def sanity_pairs(view: LayerView, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and filters (int64) of ``view.sample(count)``, each with its strongest picture."""
    filters = view.sample(count)
    return view.top[filters, 0], filters


def check_projections(
    model: nn.Module,
    view: LayerView,
    count: int,
    *,
    mistaught: nn.Module | None = None,
    methods: Sequence[Method] = METHODS,
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cascade of random weights of every method, and the verdicts of all checks: ``look.sanity``.

    On ``count`` filters, each with its strongest picture; filters of two networks are matched on
    ``MATCHED_PICTURES`` further ones. ``mistaught``: a network of the same structure that learned shuffled
    labels; None leaves that check out.
    """
    rows, filters = sanity_pairs(view, count)
    layer = view.responses.layer
    asked = (view.faces, layer, rows, filters)
    generator = np.random.default_rng(seed)
    fewer = min(MATCHED_PICTURES, len(view.faces))
    among = np.union1d(rows, generator.choice(len(view.faces), fewer, replace=False))
    matched = (view.faces.select(among), layer, np.searchsorted(among, rows), filters)
    cascades, shuffled, shifted = [], [], []
    for method in methods:
        how = {"method": method, "seed": seed}
        cascades.append(cascading_randomisation(model, *asked, **how))
        shifted.append(shift_equivariance(model, *asked, **how))
        if mistaught is not None:
            shuffled.append(compare_networks(model, mistaught, *matched, **how))
    cascade = pd.concat(cascades, ignore_index=True)
    labels = pd.concat(shuffled, ignore_index=True) if shuffled else None
    return cascade, verdicts(cascade, labels, pd.concat(shifted, ignore_index=True))


def verdict_table(found: pd.DataFrame) -> pd.DataFrame:
    """The verdicts for the page: ``check``, ``method``, ``value`` with its interval, ``limit``, ``maps``
    compared, ``verdict``, ``what follows``.
    """
    rows = []
    for row in found.itertuples():
        value = "–" if np.isnan(row.value) else f"{row.value:.2f}"
        if np.isfinite(row.low):
            value += f" ({row.low:.2f} to {row.high:.2f})"
        verdict = "cannot be told" if pd.isna(row.passed) else "passes" if row.passed else "fails"
        bound = f"{'≥' if row.name == 'shift' else '≤'}{NO_BREAK}{row.limit:g}"
        rows.append((row.name, row.method, value.replace("-", "−"), bound, row.n, verdict, row.meaning))
    columns = ["check", "method", "value", "limit", "maps", "verdict", "what follows"]
    return pd.DataFrame(rows, columns=columns)


def sanity_metrics(found: pd.DataFrame) -> dict[str, Estimate]:
    """``random_weights_deconv``, ``shuffled_labels_guided``, ``shift_gradient`` …: the value of every verdict
    that could be told.
    """
    method = "95 % expanded percentile bootstrap over subjects"
    return {
        f"{row.name.replace(' ', '_')}_{row.method}": _metric(
            row.value, row.low, row.high, method, {"n": row.n, "tolerance": RERUN_TOLERANCE}
        )
        for row in found.itertuples()
        if np.isfinite(row.value)
    }


def view_metrics(view: LayerView, places: pd.DataFrame) -> dict[str, Estimate]:
    """``filters``, ``filters_silent`` (that never respond), ``pairs`` projected, ``receptive_field``
    (pixels), and ``place_share``: of the median filter, the share of extrema within one unit of the commonest
    place, with ``place_share_untrained``. ``places``: the data of ``figures.extremum_points``, the network in
    question first."""
    medians = places.groupby("network", sort=False)["share"].agg(["median", "size"])
    shares = {
        name: Estimate(row["median"], n=row["size"], unit="share", tolerance=RERUN_TOLERANCE)
        for name, (_, row) in zip(("place_share", "place_share_untrained"), medians.iterrows(), strict=False)
    }
    counts = {
        "filters": len(view.top),
        "filters_silent": int((view.ranking["pictures"] == 0).sum()),
        "pairs": len(view.rows),
        "receptive_field": view.field.size,
    }
    return {name: Estimate(value, unit="count") for name, value in counts.items()} | shares


def conclusions(
    method: Method, found: pd.DataFrame, located: pd.DataFrame | None, places: pd.DataFrame
) -> str:
    """What can and what cannot be concluded, as an HTML list, from the verdicts, the summary of the
    localisation and the extrema's places.
    """
    said = [_about_place(places), *_about_regions(located), *_about_checks(method, found)]
    said.append(
        "None of this says that a filter detects an action unit: a place on the face is not yet a movement. "
        "That takes nulls and interventions, which are the next chapter's."
    )
    return f'<ul class="conclusions">{"".join(f"<li>{html.escape(text)}</li>" for text in said)}</ul>'


def _about_place(places: pd.DataFrame) -> str:
    medians = places.groupby("network", sort=False)["share"].median()
    shares = [number_text(float(share), "share") for share in medians]
    text = (
        f"Half of the filters have at least {shares[0]} of their extrema within one unit of a single place."
    )
    if len(shares) > 1:
        text += f" In a network that has learned nothing it is {shares[1]}"
        text += (
            ": training made the filters more faithful to places."
            if medians.iloc[0] > medians.iloc[1]
            else ": training did not make the filters more faithful to places."
        )
    return text


def _about_regions(located: pd.DataFrame | None) -> list[str]:
    if located is None:
        return [
            "For these faces nobody knows where action units act, so the places could not be compared with "
            "them."
        ]
    part = located[located["measure"].eq("concentration")].set_index("kind")
    own = part.loc["ours"]
    text = f"In the region of the action unit that a filter was held to lies {own['value']:.1f} times the energy that its area would give"
    text += f" (95 % interval {own['low']:.1f} to {own['high']:.1f})." if np.isfinite(own["low"]) else "."
    rivals = part.loc[[kind for kind in RIVALS if kind in part.index]]
    clear = rivals.index[rivals["gain_low"] > 0]
    beaten = [RIVALS[kind] for kind in clear]
    unbeaten = [RIVALS[kind] for kind in rivals.index if kind not in clear]
    text += (
        f" That is clearly more than {', '.join(beaten)}."
        if beaten
        else " None of the controls is clearly beaten."
    )
    if unbeaten:
        text += f" It is not clearly more than {', '.join(unbeaten)}."
    if "untrained" not in part.index:
        return [text]
    null = part.loc["untrained"]
    verdict = (
        "less, so training has brought the maps nearer to where muscles work"
        if null["high"] < own["low"]
        else "not clearly less, so this closeness needs no training"
    )
    return [
        text,
        f"In the untrained network it is {null['value']:.1f} times ({null['low']:.1f} to "
        f"{null['high']:.1f}): {verdict}.",
    ]


_CHECK_NAMES = {
    "random weights": ("do not outlast random weights", "are partly still there when all weights are random"),
    "shuffled labels": (
        "differ from those of a network that learned shuffled labels",
        "are partly those of a network that learned shuffled labels",
    ),
    "shift": ("move with the picture", "do not move with the picture"),
}


def _about_checks(method: Method, found: pd.DataFrame) -> list[str]:
    said = []
    for row in found[found["method"].eq(method)].itertuples():
        if pd.isna(row.passed):
            said.append(
                f"Whether the projections by {method} pass the check of {row.name} cannot be told here."
            )
        else:
            passes, fails = _CHECK_NAMES[row.name]
            said.append(f"The projections by {method} {passes if row.passed else fails}.")
    others = found[found["passed"].eq(False) & found["method"].ne(method)]
    for other, part in others.groupby("method", sort=False):
        said.append(f"By {other} the projections fail the check of {' and of '.join(part['name'])}.")
    return said
