"""Find your own detector: the faces to which filters of three networks answer most, and all that a page
needs to shuffle labels by itself, packed for ``book/_static/own_detector.js``.

The networks are the reference's: the first that was trained as published, the first that learned shuffled
labels, and one of the same structure that learned nothing.
"""

import html
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from book.live_page import picture_data
from book.switchboard import switchboard_codes, switchboard_faces
from ferbook.beside import REFERENCE
from ferbook.errors import FerError, RunStoreError
from ferbook.store import ChapterResult, open_run
from synthetic_faces.facs import ACTION_UNITS

if TYPE_CHECKING:
    import numpy as np

    from fer_lib.faces.faceset import FaceSet
    from fer_lib.nets.classifier import Classifier

OWN_FILTERS = 6
"""Of each network: those with the largest AUROC of any unit, as papers choose them."""

OWN_FACES = 10
"""Faces of as many people to which a filter answers most."""

_FEWEST = 5
"""People that must show a unit, for it to be among those that can be named."""


def ranked_by_auroc(responses: "np.ndarray", labels: "np.ndarray", count: int) -> "np.ndarray":
    """The ``count`` filters of ``responses`` (N, K) whose largest AUROC over the units in ``labels``
    (N, A), bool, is largest, best first.
    """
    import numpy as np

    from fer_lib.aus.association import statistic

    best = np.nanmax(statistic(responses, labels.astype(float), "auroc"), axis=1)
    return np.argsort(-best, kind="stable")[:count]


def own_detector_data(
    networks: Mapping[str, "Classifier"], layer: str, faces: "FaceSet", board: "FaceSet"
) -> dict[str, object]:
    """What the page needs: of each of the ``networks`` a few filters of ``layer`` with their responses to
    ``faces``, to whom they answer most, and their ``rise`` from rest to each unit in full on the ``board``;
    of the faces which units they show, as bits, their sequences and their emotions.
    """
    import pandas as pd

    from fer_lib.aus.presence import presence
    from fer_lib.look.responses import maximal_responses, top_pictures

    whose, present = faces.table["subject"].to_numpy(object), presence(faces).present == 1
    people = [len(set(whose[column])) for column in present.T]
    units = [k for k, number in enumerate(people) if number >= _FEWEST and not present[:, k].all()]
    labels = present[:, units]
    codes = switchboard_codes()
    full = [codes.index({faces.aus[k]: "E"}) for k in units]
    tiles: dict[int, int] = {}
    packed = []
    for name, model in networks.items():
        responses = maximal_responses(model, faces, layer)
        on = maximal_responses(model, board, layer).maxima
        top = top_pictures(responses, whose, OWN_FACES)
        filters = [
            {
                "filter": int(k),
                "responses": [float(f"{value:.5g}") for value in responses.maxima[:, k]],
                "strongest": [tiles.setdefault(int(row), len(tiles)) for row in top[k] if row >= 0],
                "rise": [float(f"{value:.4g}") for value in on[full, k] - on[codes.index({}), k]],
            }
            for k in ranked_by_auroc(responses.maxima, labels, OWN_FILTERS)
        ]
        packed.append({"name": name, "filters": filters})
    sequences = pd.factorize(pd.Series(list(zip(whose, faces.table["sequence"], strict=True))))[0]
    side = faces.size[0]
    pixels = faces.pixels[list(tiles)]
    return {
        "units": [faces.aus[k] for k in units],
        "names": [ACTION_UNITS[faces.aus[k]].name for k in units],
        "shown": [sum(1 << place for place, on in enumerate(row) if on) for row in labels.tolist()],
        "sequences": sequences.tolist(),
        "emotions": pd.factorize(faces.table["emotion"])[0].tolist(),
        "networks": packed,
        "sheet": picture_data(pixels.reshape(-1, side)),
        "tiles": len(tiles),
    }


def own_detector(results: Mapping[str, ChapterResult]) -> str:
    """The part of the page, as HTML in one line; where the reference's networks are not kept, a sentence."""
    try:
        from book.explain import networks_of
        from book.populations import find_population
        from fer_lib.faces.registry import open_faces
        from fer_lib.faces.request import FaceRequest
        from fer_lib.train.controls import untrained_network

        classifiers, detectors = networks_of(open_run(REFERENCE), "cpu")
        shuffled = find_population("shuffled").kept()
        if detectors is None or not shuffled or not shuffled[0].has_weights:
            raise RunStoreError("the reference lacks its detectors, or networks of shuffled labels")
        model = classifiers[0].model
        size = model.arguments["size"]
        networks = {
            "trained": model,
            "trained on shuffled labels": shuffled[0].trained_network().model,
            "untrained": untrained_network(model, seed=0),
        }
        faces = open_faces(FaceRequest("lab", size=size)).split("test")
    except FerError as fault:
        return f"Here you could find a detector of your own; {html.escape(str(fault))}."
    data = own_detector_data(networks, detectors.layer, faces, switchboard_faces(size))
    verdicts = {each.filter: [each.au, each.moved_by] for each in detectors.filters}
    content = json.dumps(data | {"verdicts": verdicts}).replace("<", "\\u003c")
    return (
        '<details class="own-detector"><summary>Find your own detector: name a unit from ten faces, and see '
        "how often luck does as well</summary><p>Here labels are shuffled where scripts are allowed.</p>"
        f'<script type="application/json" id="own-detector-data">{content}</script>'
        '<script src="../../_static/own_detector.js" defer></script></details>'
    )
