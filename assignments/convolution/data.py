"""Faces, with the first and the last layers of a pretrained zero-bias network: the data of one variant."""

import numpy as np

SIZE, SUBJECTS = 48, 12


def make(variant: int) -> dict[str, np.ndarray]:
    """N faces, C emotions, K first filters and M dense neurons of a network that was not trained on them.

    ``emotions`` (C,) names; ``pictures`` uint8 (N, 48, 48) and ``emotion`` int (N,), the emotion of each;
    ``filters`` float64 (K, 5, 5). ``dense`` (N, M): the sums of the dense neurons before their
    biases, proportional to its contrast; ``dense_bias`` (M,); ``output`` (C, M), ``output_bias`` (C,).
    """
    import torch

    from face_sets.rendered import open_studio
    from fer_lib.train.weights import load_weights, read_record
    from ferbook.paths import runs_dir
    from synthetic_faces.expressions import Spread, draw_expression
    from synthetic_faces.facs import AUS

    weights = runs_dir() / "reference" / "populations" / "emotions" / str(200 + variant % 5) / "weights"
    network, emotions = load_weights(weights).eval(), read_record(weights)["classes"]
    studio, rng = open_studio(size=SIZE, seed=200 + variant), np.random.default_rng((23, variant))
    emotion = np.tile(np.arange(len(emotions)), SUBJECTS)
    weak = Spread(intensity=(0.3, 0.9))
    shown = [draw_expression(emotions[each], rng, weak).intensities for each in emotion]
    shown = [dict(zip(AUS, map(tuple, each), strict=True)) for each in shown]
    pictures = [studio.shoot(k // len(emotions), each).pixels for k, each in enumerate(shown)]
    arrays = {"emotions": np.array(emotions), "pictures": np.stack(pictures), "emotion": emotion}

    made = []
    network.dense.register_forward_hook(lambda layer, given, answers: made.append(answers - layer.bias))
    with torch.no_grad():
        network(torch.from_numpy(arrays["pictures"])[:, None] / 255)
    told = {"filters": network.conv1.weight[:, 0], "dense": made[0], "dense_bias": network.dense.bias}
    told |= {"output": network.output.weight, "output_bias": network.output.bias}
    return arrays | {name: values.detach().double().numpy() for name, values in told.items()}
