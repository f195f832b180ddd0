"""Data of the assignment on transfer: a network trained in the lab, tested there and on players' webcams."""

import numpy as np


def make(variant: int) -> dict[str, np.ndarray]:
    """Return predictions and responses of a pretrained network for people that this ``variant`` chooses.

    ``lab_…``: 30 held-out people of its training set; ``game_…``: 7 players. Of each ``_label`` and
    ``_person`` int (N,) and ``_responses`` float16 (N, 256), maximal responses of the last convolution; of
    ``lab`` also ``_pixels`` uint8 (N, 16, 16), and of ``game`` ``_said`` float32 (N, 8), probabilities.
    ``home_said``, ``home_label``, ``home_person``: the same of the network's own test split, 48 people.
    ``learned_share`` (8,): proportion of each class in its training split; ``classes``: their names.
    """
    from book.populations import find_population
    from face_sets.registry import open_faces
    from face_sets.request import FaceRequest
    from fer_lib.look.responses import maximal_responses
    from fer_lib.train.predict import predict

    member = find_population("emotions").members[variant % 5]
    done, network, draw = member.done(), member.network(), np.random.default_rng(500 + variant)
    counts, tested = np.array(done["train_counts"]), member.tested()
    group = tested["group"].to_numpy()
    home = np.isin(group, draw.permutation(np.unique(group))[:48])
    arrays = {
        "classes": np.array(done["classes"]),
        "learned_share": counts / counts.sum(),
        "home_said": member.answers()[home].astype(np.float32),
        "home_label": tested["label"].to_numpy()[home],
        "home_person": group[home],
    }
    for name, subjects, chosen in (("lab", 40, 30), ("game", 8, 7)):
        faces = open_faces(FaceRequest(name, subjects, 48, face_seed=40))
        subject = faces.table["subject"].to_numpy().astype(str)
        faces = faces.select(np.isin(subject, draw.permutation(np.unique(subject))[:chosen]))
        _, person = np.unique(faces.table["subject"].to_numpy().astype(str), return_inverse=True)
        arrays[f"{name}_label"] = faces.labels(done["classes"])
        arrays[f"{name}_person"] = person
        arrays[f"{name}_responses"] = maximal_responses(network, faces, "relu3").maxima.astype(np.float16)
        if name == "lab":
            blocks = faces.pixels.reshape(-1, 16, 3, 16, 3)
            arrays["lab_pixels"] = blocks.mean(axis=(2, 4)).round().astype(np.uint8)
        else:
            arrays["game_said"] = predict(network, faces)
    return arrays
