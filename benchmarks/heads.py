"""What networks that were taught by rendered faces make of another head model: the set ``heads``.

    python benchmarks/heads.py [--population published] [--networks 10]
    python benchmarks/heads.py --faces lab/3 [--taught 240] [--epochs 10] [--networks 2]

The first asks networks of a population that are kept, the second trains some for the question: by the recipe
of ``published``, but with ``--taught`` people of ``--faces`` in place of 600 and ``--epochs`` in place of 18,
with the seeds 0, 1 … All are asked about the same 60 people (``heads``, 48 pixels, ``face_seed`` 0), none of
whom any network learned from. Printed are, of each network and as means over them:

    neutral    share of the resting pictures (the first frame of each of 420 sequences) called neutral
    six        mean over the six basic expressions of the share of their apex pictures (60 each) that are
               named right, by all classes of the network
    AU heads   mean AUROC over the action units of linear heads on the network's last features, fitted and
               chosen on 48 of these people and tested on the other 12 (the set's own splits)
    untrained  the same with first weights, drawn anew

and what resting pictures are called, all networks together. The goals, set before the first number: neutral
.70, six .75, AU heads .88. Rounds of changes to version 3 of the faces are chosen by the short trainings, at
most three, and each is written down here. Where the head model is absent a line says so and nothing is done.

Rounds (short trainings, seed 0; neutral, six, AU heads; version 2 by two whole networks of ``published``):

    version 2, ``published`` 0 and 1 (600 people, 18 epochs): .288 and .481, .756 and
       .794, .881 and .900                                                                 .385  .775  .890
    1  tone and asymmetry at rest (``rest.TRAITS``) of mouth, brows, lids, lips, jaw       .560  .728  .879
    2  brows' slants and mouths farther apart, lines at rest, painted brows of other
       heights and arches; features of .2 in place of .08                                  .943  .672  .876
    3  three quarters of that rest, features .12: version 3 as it is                       .883  .678  .878

Round 1 was asked on heads whose mouths' corners were painted dark by mistake, on which three networks of
version 2 had .092, .687 and .885; all others on those that this checkout makes.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from book.populations import find_population
from contest import options
from fer_lib.aus.heads import drawn_aurocs, fit_heads
from fer_lib.aus.presence import presence
from fer_lib.faces.faceset import SIX, FaceSet
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.build import build_network
from fer_lib.train.controls import untrained_network
from fer_lib.train.features import features_of
from fer_lib.train.learner import seed_everything, train
from fer_lib.train.predict import predict
from ferbook.errors import FerError

PEOPLE, _PIXELS = 60, 48
_HEAD_STRENGTHS = (0.001, 0.01, 0.1)


def trained_by(faces: str, people: int, epochs: int, seed: int) -> tuple[torch.nn.Module, tuple[str, ...]]:
    """The network of ``published`` with this ``seed``, taught by so many ``people`` of ``faces`` in so many
    ``epochs``; and its classes.
    """
    asked = find_population("published")
    labelled = open_faces(FaceRequest(faces, people, _PIXELS), progress=False).labelled()
    protocol = protocol_of(labelled)
    seed_everything(seed)
    model = build_network(asked.network, len(protocol.classes), _PIXELS, **asked.options)
    chosen = fold_faces(labelled, protocol, 0)
    training = train(chosen, model, protocol.classes, replace(asked.recipe, epochs=epochs), seed=seed)
    best = training.curve.set_index("epoch").loc[training.best_epoch, "valid_accuracy"]
    print(
        f"seed {seed}, taught by {len(chosen.split('train'))} pictures: {best:.3f} of validation", flush=True
    )
    return model, protocol.classes


def head_auroc(model: torch.nn.Module, faces: FaceSet) -> float:
    """Mean AUROC over the units of linear heads on the last features of ``model``."""
    split = faces.table["split"].to_numpy(dtype=object).astype(str)
    features, units = features_of(model, faces), presence(faces)
    heads = fit_heads(features, units, split, strengths=_HEAD_STRENGTHS)
    test = split == "test"
    return float(np.nanmean(drawn_aurocs(heads, features[test], units.select(test), draws=1)[:, 0]))


def main() -> None:
    """Ask, and print what came out."""
    parser = options(__doc__, networks=10, taught=240, epochs=10)
    parser.add_argument("--population", default="published")
    parser.add_argument("--faces", default="")
    given = parser.parse_args()
    torch.set_num_threads(1)
    try:
        faces = open_faces(FaceRequest("heads", PEOPLE, _PIXELS), progress=False)
    except FerError as fault:
        print(f"skipped: {fault}")
        return
    resting = (faces.table["frame"] == faces.table["onset"]).to_numpy()
    apex = (faces.table["frame"] == faces.table["apex"]).to_numpy()
    emotion = faces.table["emotion"].to_numpy(dtype=object)
    kept = [] if given.faces else find_population(given.population).kept()[: given.networks]
    called: Counter[str] = Counter()
    rows = []
    for k in range(len(kept) or given.networks):
        if given.faces:
            model, classes = trained_by(given.faces, given.taught, given.epochs, k)
        else:
            model, classes = kept[k].network(), tuple(kept[k].done()["classes"])
        answers = np.array(classes, object)[predict(model, faces).argmax(1)]
        called.update(answers[resting])
        right = answers == emotion
        six = [right[apex & (emotion == name)].mean() for name in SIX]
        blank = untrained_network(model, k)
        rows.append([right[resting].mean(), np.mean(six), head_auroc(model, faces), head_auroc(blank, faces)])
        print(f"network {k}: " + ", ".join(f"{value:.3f}" for value in rows[-1]), flush=True)
        print("   of six: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(SIX, six, strict=True)), flush=True)
    for name, value in zip(("neutral", "six", "AU heads", "untrained"), np.mean(rows, axis=0), strict=True):
        print(f"{name:10} {value:.3f}")
    total = called.total()
    print("resting called " + ", ".join(f"{name} {n / total:.2f}" for name, n in called.most_common()))


if __name__ == "__main__":
    main()
