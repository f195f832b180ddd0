"""The names that a parameter can have: face sets, networks, losses, measures. Light to import: the command
line reads them before anything is computed.
"""

from typing import Literal

from face_sets.sources import SOURCES

# The synthetic face sets.
FaceDomain = Literal[*(source.name for source in SOURCES if not source.reader)]

# The synthetic face sets that need no files from the user.
ALWAYS_THERE = tuple(source.name for source in SOURCES if not source.layouts)

# Every face set of ``face_sets.sources``.
FaceSource = Literal[*(source.name for source in SOURCES)]

# Networks that ``nets.build.build_network`` builds by name: the class, and its module of ``nets``.
NETWORKS = {
    "zero_bias": ("ZeroBiasCNN", "zero_bias"),
    "breuer": ("BreuerKimmelCNN", "blocks"),
    "zhu": ("ZhuCNN", "blocks"),
    "vgg": ("VGG", "vgg"),
    "residual": ("ResidualNet", "residual"),
}
Network = Literal[*NETWORKS]

# Losses that ``train.losses.build_loss`` makes by name.
Loss = Literal["cross_entropy", "label_smoothing", "focal", "centre", "votes"]

# Optimisers, see ``train.recipe``.
Optimiser = Literal["sgd", "adamw", "muon"]

# Learning-rate schedules of ``train.callbacks.rate_of``.
Schedule = Literal["constant", "onecycle", "cosine"]

# Which states of an LSTM represent a clip, see ``nets.lstm.ClipLSTM``.
Pooling = Literal["mean", "last", "both_ends"]

# Measures of ``aus.association``.
AssociationMeasure = Literal["mean_difference", "kl", "auroc"]
