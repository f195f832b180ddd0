"""The names that a parameter may take: face sets, networks, losses, measures.
Light to import: the command line reads them before anything is computed.
"""

from typing import Literal

from face_sets.sources import SOURCES

FaceDomain = Literal[*(source.name for source in SOURCES if not source.reader)]
"""The synthetic face sets."""

ALWAYS_THERE = tuple(source.name for source in SOURCES if not source.layouts)
"""Those of them that need nothing of the user's."""

FaceSource = Literal[*(source.name for source in SOURCES)]
"""Every face set of ``faces.sources``."""

NETWORKS = {
    "zero_bias": ("ZeroBiasCNN", "zero_bias"),
    "breuer": ("BreuerKimmelCNN", "blocks"),
    "zhu": ("ZhuCNN", "blocks"),
    "vgg": ("VGG", "vgg"),
    "residual": ("ResidualNet", "residual"),
}
"""The networks that ``nets.build.build_network`` builds by name: the class, and its module of ``nets``."""
Network = Literal[*NETWORKS]

Loss = Literal["cross_entropy", "label_smoothing", "focal", "centre", "votes"]
"""The losses that ``train.losses.build_loss`` builds by name."""

Optimiser = Literal["sgd", "adamw", "muon"]
"""What makes a step of a gradient, see ``train.recipe``."""

Schedule = Literal["constant", "onecycle", "cosine"]
"""The learning rates over a training that ``train.callbacks.rate_of`` draws."""

Pooling = Literal["mean", "last", "both_ends"]
"""Which states of an LSTM name a clip, see ``nets.lstm.ClipLSTM``."""

AssociationMeasure = Literal["mean_difference", "kl", "auroc"]
"""The measures of ``aus.association``."""
