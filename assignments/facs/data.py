"""Neutral faces, faces with one action unit, heads that turn, and coding sheets: the data of one variant."""

from dataclasses import replace

import numpy as np

SIZE = 48
UNITS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU9", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26")
DEGREES = (0, 1, 2, 4, 8)
SUBJECTS, SHEETS = 6, 300


def make(variant: int) -> dict[str, np.ndarray]:
    """P people, U units, D turns of the head, N coded expressions; pictures are uint8 of 48 × 48 pixels.

    ``units`` (U,) names; ``off`` (P, 48, 48) neutral; ``on`` (P, U, 48, 48), each with one unit; ``regions``
    bool alike, the skin that it deforms; ``degrees`` (D,) and ``turned`` (P, D, 48, 48) neutral, but turned;
    ``emotions`` (C,) names; ``emotion`` int (N,); ``coder_a``, ``coder_b`` int (N, U), the levels that two
    coders gave: 0 (not shown) to 5 (E).
    """
    from synthetic_faces.expressions import EMOTIONS, Spread, draw_expression
    from synthetic_faces.facs import AUS

    rng = np.random.default_rng((22, variant))
    off, on, regions, turned = _pictures(variant, rng)
    emotion = np.concatenate([np.arange(len(EMOTIONS)), rng.integers(len(EMOTIONS), size=SHEETS)])
    shown = [draw_expression(EMOTIONS[each], rng, Spread()).intensities.max(axis=1) for each in emotion]
    shown = np.array(shown)[:, [AUS.index(unit) for unit in UNITS]]
    arrays = {"units": UNITS, "off": off, "on": on, "regions": regions, "degrees": DEGREES, "turned": turned}
    arrays |= {"emotions": EMOTIONS, "emotion": emotion}
    for coder, faintest in (("coder_a", 0.1), ("coder_b", 0.25)):  # B overlooks traces
        seen = np.clip(shown + rng.normal(0, 0.07, shown.shape), 0, 1)
        arrays[coder] = np.where(seen > faintest, np.ceil(5 * seen), 0).astype(int)
    return {name: np.array(values) for name, values in arrays.items()}


def _pictures(variant: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    from face_sets.paths import cache_dir
    from synthetic_faces.assets import load_assets
    from synthetic_faces.capture import Capture, draw_shot
    from synthetic_faces.domains import LAB
    from synthetic_faces.facs import AUS
    from synthetic_faces.people import draw_person
    from synthetic_faces.render import Renderer

    renderer = Renderer(load_assets(cache_dir()), SIZE, cache=cache_dir())
    capture = Capture(pose=0, light=0, blur=(0, 0), noise=(0.01, 0.01))
    shot = draw_shot(np.random.default_rng(variant), capture)
    poses = [(None, 0), *((unit, 0) for unit in UNITS), *((None, degrees) for degrees in DEGREES)]
    taken = []  # each with separate noise
    for person in range(SUBJECTS):
        someone = draw_person(renderer.assets, 100 + variant, person, LAB.looks)
        for frame, (unit, degrees) in enumerate(poses):
            shown, yaw = np.zeros((len(AUS), 2)), np.radians(degrees)
            if unit:
                shown[AUS.index(unit)] = rng.uniform(0.4, 1)
            moved = replace(shot, yaw=yaw, gaze=(-yaw / 0.6, 0.0))  # eyes on the camera
            moved = replace(moved, seed=100 * variant + person, frame=frame)
            taken.append(renderer.render(someone, shown, moved, capture))
    pixels = np.stack([each.pixels for each in taken]).reshape(SUBJECTS, len(poses), SIZE, SIZE)
    on = 1 + np.arange(len(UNITS))
    masks = np.array([[each.mask(unit) for unit in UNITS] for each in taken])
    masks = masks.reshape(SUBJECTS, len(poses), len(UNITS), SIZE, SIZE)
    regions = masks[:, 0] | masks[:, on, np.arange(len(UNITS))]  # where the skin lay or lies now
    return pixels[:, 0], pixels[:, on], regions, pixels[:, on[-1] + 1 :]
