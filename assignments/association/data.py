"""Data of the assignment on action-unit association: 256 filters, 40 people, two action units."""

from collections.abc import Iterable

import numpy as np

UNITS = ("AU12", "AU26")


def make(variant: int) -> dict[str, np.ndarray]:
    """Return maximal responses of a pretrained network to rendered people of this ``variant``.

    ``responses`` float32 (N, 256), one picture per sequence, at its apex; ``shown`` bool (N, 2), ``units``,
    ``emotion``, ``person`` (N,). ``luck_anywhere``, ``luck_emotion``, ``luck_mouth`` float16 (2, 200, 256):
    average precision with the true labels (row 0) and with 199 permutations of them: among all pictures,
    within the emotion, within emotion and AU25. ``halves`` and ``noise_halves`` float16 (2, 50, 256): AU12,
    with random halves of the people, for the filters and for as many columns of noise.
    """
    from book.populations import find_population
    from fer_lib.look.responses import maximal_responses

    apex = _apexes(40 + variant)
    network = find_population("emotions").members[0].network()
    responses = maximal_responses(network, apex, "relu3").maxima
    table, draw = apex.table, np.random.default_rng(400 + variant)
    shown = (table[list(UNITS)] > 0).to_numpy()
    emotion = table["emotion"].to_numpy().astype("U12")
    people, person = np.unique(table["subject"].to_numpy().astype("U12"), return_inverse=True)
    strata = {"anywhere": np.zeros(len(table), int), "emotion": emotion}
    strata["mouth"] = np.char.add(emotion, np.where(table["AU25"] > 0, " open", ""))
    luck = {f"luck_{name}": _luck(responses, shown, groups, draw) for name, groups in strata.items()}
    first = [draw.permutation(len(people))[person] % 2 == 0 for _ in range(50)]
    noise = draw.standard_normal((50, *responses.shape))
    return {
        "responses": responses,
        "shown": shown,
        "units": np.array(UNITS),
        "emotion": emotion,
        "person": person,
        "halves": _halves([responses] * 50, shown[:, :1], first),
        "noise_halves": _halves(noise, shown[:, :1], first),
    } | luck


def _apexes(seed: int):
    """Return the last picture of each sequence of 40 people; starting other processes would take longer."""
    from face_sets.faceset import FaceSet
    from face_sets.paths import cache_dir
    from face_sets.rendered import set_table
    from synthetic_faces.assets import load_assets
    from synthetic_faces.domains import LAB
    from synthetic_faces.people import draw_person
    from synthetic_faces.produce import Recipe
    from synthetic_faces.render import Renderer
    from synthetic_faces.sequences import draw_course, draw_shots, perform

    recipe, pixels = Recipe("lab", 40, 48, seed), []
    renderer = Renderer(load_assets(cache_dir()), recipe.size, cache=cache_dir())
    for sequence in recipe.plan():
        someone = draw_person(renderer.assets, seed, LAB.first_person + sequence.subject, LAB.looks)
        course = draw_course(LAB, seed, sequence)
        shown = perform(LAB, seed, sequence, course).intensities[-1]
        shot = draw_shots(LAB, seed, sequence, course)[-1]
        pixels.append(renderer.render(someone, shown, shot, LAB.capture).pixels)
    table = set_table(recipe).groupby("sequence", sort=False).tail(1)
    return FaceSet(recipe.domain, np.stack(pixels), table.reset_index(drop=True))


def _average_precisions(responses: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """float16 (labellings, filters) of ``responses`` (N, filters) for ``shown`` (N, labellings)."""
    shown, found = shown.astype(np.float32), []
    for own in responses.T:
        reach = (own >= own[:, None]).astype(np.float32)
        precision = (reach @ shown) / reach.sum(axis=1, keepdims=True)
        found.append((precision * shown).sum(axis=0) / shown.sum(axis=0))
    return np.array(found, np.float16).T


def _luck(responses: np.ndarray, shown: np.ndarray, groups: np.ndarray, draw) -> np.ndarray:
    rows = np.tile(np.arange(len(shown)), (200, 1))
    for group in np.unique(groups):
        own = np.flatnonzero(groups == group)
        rows[1:, own] = draw.permuted(np.tile(own, (199, 1)), axis=1)
    return np.stack([_average_precisions(responses, unit[rows].T) for unit in shown.T])


def _halves(responses: Iterable[np.ndarray], shown: np.ndarray, first: list[np.ndarray]) -> np.ndarray:
    splits = zip(responses, first, strict=True)
    both = [[_average_precisions(r[h], shown[h])[0] for h in (half, ~half)] for r, half in splits]
    return np.stack(both, axis=1)
