"""Filters of a pretrained network, projected to the picture by three rules: the data of one variant."""

import numpy as np

SIZE, FILTERS, LAYER = 48, 16, "relu3"
INNER = slice(4, 8)  # of maps of 12 × 12: there a field lies within the picture
TOYS = (24, 279, 334, 409, 816, 964, 1045, 1189)  # seeds: with these the three rules differ
UNITS = ("AU12", "AU4", "AU9", "AU25", "AU1", "AU6", "AU17", "AU20")


def make(variant: int) -> dict[str, np.ndarray]:
    """Return F filters of the last convolution at one place of one face, and a toy network.

    ``face`` uint8 (48, 48) and ``window`` (32, 32), the part of it that the neurons see; ``deconv``,
    ``gradient``, ``guided`` float32 (F, 32, 32), the projection by each rule. ``region`` bool (48, 48): the
    skin that ``unit`` deforms. ``toy`` float64 (13, 13), a picture, and its two filters, ``first`` (3, 3) and
    ``second`` (2, 2).
    """
    from face_sets.rendered import open_studio
    from fer_lib.look.deconvolution import project
    from fer_lib.look.layers import maps_of, to_input
    from fer_lib.train.weights import load_weights
    from ferbook.paths import runs_dir

    weights = runs_dir() / "reference" / "populations" / "emotions" / str(200 + variant % 5) / "weights"
    network, studio = load_weights(weights).eval(), open_studio(size=SIZE, seed=300 + variant)
    unit, rng = UNITS[variant], np.random.default_rng((24, TOYS[variant]))
    off, on = studio.shoot(person=0), studio.shoot(person=0, aus={unit: 1.0})
    answers = maps_of(network, LAYER, to_input(network, on.pixels[None]))[0].detach().numpy()
    awake = (answers[:, INNER, INNER] > 0).sum(axis=0)
    place = np.add(np.unravel_index(awake.argmax(), awake.shape), INNER.start)  # most filters answer here
    strongest = np.argsort(-answers[:, *place], kind="stable")[:FILTERS]
    arrays = {"face": on.pixels, "region": off.mask(unit) | on.mask(unit), "unit": np.array(unit)}
    for method in ("deconv", "gradient", "guided"):
        asked = {"positions": np.tile(place, (FILTERS, 1)), "method": method}
        found = project(network, LAYER, on.pixels[None], [0] * FILTERS, strongest, **asked)
        row, column = found.corners[0]
        arrays[method] = found.maps
    arrays["window"] = on.pixels[row : row + 32, column : column + 32]
    arrays["toy"] = 1.0 * rng.integers(0, 4, (13, 13)) * (rng.random((13, 13)) < 0.2)
    arrays |= {"first": np.array([[-1.0, 0, 1]] * 3), "second": np.array([[2.0, -1], [1, 1]])}
    return arrays
