"""Clips of micro-expressions as ten distances on the face, and predictions by GRUs trained on others."""

import numpy as np

CLASSES = ("disgust", "happiness", "repression", "surprise")
HEIGHTS = {"inner brows": (21, 22), "outer brows": (17, 18, 25, 26), "upper lids": (37, 38, 43, 44)}
HEIGHTS |= {"lower lids": (40, 41, 46, 47), "nose wings": (31, 35), "upper lip": (50, 51, 52)}
HEIGHTS |= {"mouth corners": (48, 54), "lower lip": (56, 57, 58)}
WIDTHS = {"brow to brow": (21, 22), "mouth width": (48, 54)}
FRAMES, HIDDEN, STEPS, NOISE = 16, 8, 200, 0.25  # NOISE of each landmark in mm


def make(variant: int) -> dict[str, np.ndarray]:
    """``mm`` float32 (C, 16, 10), distances in mm; ``labels``, ``subjects``, ``apex`` (a frame) int64 (C,);
    ``w``, ``u``, ``b``, ``c``, ``read_w``, ``read_b`` of a GRU trained on others with (mm - mm[:, :1]) /
    ``spread``; ``said`` int64 (4, C): predictions with the frames in order, of the same GRU tested shuffled,
    trained and tested shuffled, trained and tested with the apex repeated.
    """
    training, mine = _clips(200 + variant, 70, 5, even=True), _clips(100 + variant, 20, 9, even=False)
    spread = (training[0] - training[0][:, :1]).std(axis=(0, 1))
    trained = {how: _train(*training, spread, how) for how in ("order", "shuffled", "apex")}
    pairs = [("order", "order"), ("order", "shuffled"), ("shuffled", "shuffled"), ("apex", "apex")]
    rng = np.random.default_rng(variant)
    shown = {how: _shown(mine[0], mine[3], spread, how, rng) for how in trained}
    said = [trained[network][0](shown[how]).argmax(dim=1).numpy() for network, how in pairs]
    found = dict(zip(("mm", "labels", "subjects", "apex"), mine, strict=True)) | trained["order"][1]
    names = {"classes": np.array(CLASSES), "measures": np.array([*HEIGHTS, *WIDTHS])}
    return found | names | {"spread": spread, "said": np.stack(said)}


def _shown(mm, apex, spread, how, rng):
    places = np.indices(mm.shape[:2])[1]
    others = {
        "shuffled": rng.random(places.shape).argsort(axis=1, kind="stable"),
        "apex": 0 * places + apex[:, None],
    }
    return np.take_along_axis((mm - mm[:, :1]) / spread, others.get(how, places)[..., None], axis=1)


def _train(mm, labels, _, apex, spread, how):
    import torch

    rng = np.random.default_rng(0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cell = torch.nn.GRU(mm.shape[2], HIDDEN, batch_first=True)
        read = torch.nn.Linear(HIDDEN, len(CLASSES))
    both = torch.nn.ModuleList([cell, read])
    optimiser = torch.optim.AdamW(both.parameters(), weight_decay=0.02)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.02, total_steps=STEPS)
    for _ in range(STEPS):
        shown = torch.from_numpy(_shown(mm, apex, spread, how, rng))
        loss = torch.nn.functional.cross_entropy(read(cell(shown)[0].mean(dim=1)), torch.from_numpy(labels))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        rate.step()
    weights = [part.detach().numpy() for part in both.parameters()]
    names = ("w", "u", "b", "c", "read_w", "read_b")

    def predict(frames):
        return read(cell(torch.from_numpy(frames))[0].mean(dim=1))

    return predict, dict(zip(names, weights, strict=True))


def _clips(seed, people, each, *, even):
    from face_sets.paths import cache_dir
    from face_sets.request import spread_evenly
    from synthetic_faces import facs
    from synthetic_faces.assets import load_assets
    from synthetic_faces.domains import MICRO
    from synthetic_faces.expressions import LABELS
    from synthetic_faces.landmarks import landmark_vertices
    from synthetic_faces.people import draw_person
    from synthetic_faces.sequences import Sequence, draw_course, perform

    assets, rng, found = load_assets(cache_dir()), np.random.default_rng(seed), []
    at, actions = landmark_vertices(assets), assets.action_names.tolist()
    moves = assets.actions[:, at].reshape(len(actions), -1)
    for who in range(people):
        person = draw_person(assets, seed, MICRO.first_person + who, MICRO.looks)
        weights = np.full(4, 0.25) if even else rng.dirichlet(np.full(4, 0.6))
        for take, label in enumerate(rng.choice(4, size=each, p=weights).tolist()):
            shown = Sequence(who, LABELS.index(CLASSES[label]), take)
            course = draw_course(MICRO, seed, shown, lambda every, apex: spread_evenly(every, FRAMES, apex))
            units = perform(MICRO, seed, shown, course).intensities
            weights = np.stack([facs.action_weights(unit, person.muscles.units, actions) for unit in units])
            points = 1000 * (person.vertices[at] + (weights @ moves).reshape(len(units), -1, 3))
            points += NOISE * rng.standard_normal(points.shape)
            across, up = points[..., 0], points[..., 2] - points[:, [36, 39, 42, 45], 2].mean(axis=1)[:, None]
            mm = [up[:, marks].mean(axis=1) for marks in HEIGHTS.values()]
            mm += [np.abs(np.subtract(*across[:, marks].T)) for marks in WIDTHS.values()]
            found.append((np.stack(mm, axis=1), label, who, course.frames.index(course.apex)))
    mm, *rest = zip(*found, strict=True)
    return np.array(mm, np.float32), *map(np.array, rest)
