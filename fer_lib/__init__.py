"""Library of the paper suite on facial expression recognition: networks, training, attribution, action units
and statistics. It wraps fastai: ``face_learner`` and ``clip_learner`` give a fastai ``Learner``.

Faces
    - ``FaceRequest``: which face set, how many subjects, which size
    - ``open_faces``: open a face set
    - ``clips_of``: the clips of a face set of sequences
Networks
    - ``build_network``: a new network by its name
    - ``load_weights``, ``save_weights``: read and write a network
    - ``predict``: class probabilities of pictures
    - ``features_of``, ``clip_features``: the input of the last layer, for pictures and for clips
Training
    - ``TrainingRecipe``, ``ClipRecipe``: how a network, or an LSTM, is trained
    - ``face_learner``, ``clip_learner``: a fastai ``Learner`` for pictures, or for clips
    - ``seed_everything``: seed all random numbers
Filters
    - ``last_conv``: the name of the last convolution's ReLU
    - ``maximal_responses``: the largest response of every filter to every picture
    - ``top_pictures``, ``rank_filters``: the pictures with the largest responses; filters by their response
    - ``project``: deconvolution and guided backpropagation to the pixels
Action units
    - ``presence``: which pictures show which unit
    - ``statistic``: the association of filters with units
    - ``permutation_null``, ``decide``: its null distribution, and the filters assigned to units

``help`` describes each. The scripts below run in the suite's folder.

Classify emotions::

    import fer_lib
    from fastai.interpret import ClassificationInterpretation

    faces = fer_lib.open_faces(fer_lib.FaceRequest("lab", subjects=16, size=24))
    network = fer_lib.build_network("zero_bias", n_classes=len(faces.classes), size=24)
    learner = fer_lib.face_learner(faces, network)
    rate = learner.lr_find(show_plot=False).valley
    learner.fit_one_cycle(2, rate)
    print(learner.validate())
    shares, labels = learner.get_preds()
    print(ClassificationInterpretation.from_learner(learner).confusion_matrix())

Train an LSTM on the features of clips::

    import fer_lib
    from fastai.interpret import ClassificationInterpretation

    faces = fer_lib.open_faces(fer_lib.FaceRequest("micro", subjects=6, size=48))
    clips = fer_lib.clips_of(faces)
    network = fer_lib.load_weights("runs/reference/populations/emotions/200/weights")
    learner = fer_lib.clip_learner(fer_lib.clip_features(network, clips), clips)
    rate = learner.lr_find(show_plot=False).valley
    learner.fit_one_cycle(2, rate)
    print(learner.validate())
    shares, labels = learner.get_preds()
    print(ClassificationInterpretation.from_learner(learner).confusion_matrix())

Show what activates a filter, by deconvolution::

    import fer_lib
    import matplotlib.pyplot as plt
    import numpy as np

    faces = fer_lib.open_faces(fer_lib.FaceRequest("lab", subjects=16, size=48))
    network = fer_lib.load_weights("runs/reference/populations/emotions/200/weights")
    responses = fer_lib.maximal_responses(network, faces, fer_lib.last_conv(network))
    strongest = responses.maxima.max(axis=0).argmax()
    rows = fer_lib.top_pictures(responses, faces.table["subject"])[strongest]
    filters = [strongest] * len(rows)
    projections = fer_lib.project(network, responses.layer, faces.pixels, rows, filters)
    plt.imsave("pictures.png", np.hstack(faces.pixels[rows]), cmap="gray")
    plt.imsave("maps.png", np.hstack(projections.whole()), cmap="gray")

Find the action unit that the filter is associated with, by its AUROC::

    import fer_lib

    faces = fer_lib.open_faces(fer_lib.FaceRequest("lab", subjects=16, size=48))
    network = fer_lib.load_weights("runs/reference/populations/emotions/200/weights")
    responses = fer_lib.maximal_responses(network, faces, fer_lib.last_conv(network))
    strongest = responses.maxima.max(axis=0).argmax()
    coded = fer_lib.presence(faces).scored()
    found = fer_lib.statistic(responses.maxima, coded.present, "auroc")[strongest]
    print(coded.aus[found.argmax()], (1 + found.max()) / 2)
"""

from importlib import import_module

__version__ = "0.2.0"

_MODULES = {
    "face_sets.request": ("FaceRequest",),
    "face_sets.registry": ("open_faces",),
    "face_sets.clips": ("clips_of",),
    "fer_lib.nets.build": ("build_network",),
    "fer_lib.train.recipe": ("TrainingRecipe",),
    "fer_lib.train.clips": ("ClipRecipe", "clip_learner"),
    "fer_lib.train.learner": ("face_learner", "seed_everything"),
    "fer_lib.train.weights": ("load_weights", "save_weights"),
    "fer_lib.train.predict": ("predict", "features_of", "clip_features"),
    "fer_lib.look.layers": ("last_conv",),
    "fer_lib.look.responses": ("maximal_responses", "top_pictures", "rank_filters"),
    "fer_lib.look.deconvolution": ("project",),
    "fer_lib.aus.presence": ("presence",),
    "fer_lib.aus.association": ("statistic",),
    "fer_lib.aus.nulls": ("permutation_null", "decide"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}
__all__ = [*_HOMES]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: torch and fastai take seconds."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOMES]
