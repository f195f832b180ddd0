"""The names that a parameter can have: face sets, networks, losses, measures. Light to import: the command
line reads them before anything is computed.
"""

from typing import Literal

from face_sets.sources import SOURCES

FaceDomain = Literal[*(source.name for source in SOURCES if not source.reader)]
"""The synthetic face sets."""

ALWAYS_THERE = tuple(source.name for source in SOURCES if not source.layouts)
"""The synthetic face sets that need no files from the user."""

FaceSource = Literal[*(source.name for source in SOURCES)]
"""Every face set of ``face_sets.sources``."""

NETWORKS = {
    "zero_bias": ("ZeroBiasCNN", "zero_bias"),
    "breuer": ("BreuerKimmelCNN", "blocks"),
    "zhu": ("ZhuCNN", "blocks"),
    "vgg": ("VGG", "vgg"),
    "residual": ("ResidualNet", "residual"),
}
"""Networks that ``nets.build.build_network`` builds by name: the class, and its module of ``nets``."""
Network = Literal[*NETWORKS]

Loss = Literal["cross_entropy", "label_smoothing", "focal", "centre", "votes"]
"""Losses that ``train.losses.build_loss`` makes by name."""

Optimiser = Literal["sgd", "adamw", "muon"]
"""Optimisers, see ``train.recipe``."""

Schedule = Literal["constant", "onecycle", "cosine"]
"""Learning-rate schedules of ``train.callbacks.rate_of``."""

Pooling = Literal["mean", "last", "both_ends"]
"""Which states of an LSTM represent a clip, see ``nets.lstm.ClipLSTM``."""

AssociationMeasure = Literal["mean_difference", "kl", "auroc"]
"""Measures of ``aus.association``."""
