"""The names that a parameter may take: face sets, networks, losses, measures. Light to import: the command
line reads them before anything is computed.
"""

from typing import Literal

from fer_lib.faces.sources import SOURCES

FaceDomain = Literal[*(source.name for source in SOURCES if not source.reader)]
"""The synthetic face sets."""

ALWAYS_THERE = tuple(source.name for source in SOURCES if not source.layouts)
"""Those of them that need nothing of the user's."""

FaceSource = Literal[*(source.name for source in SOURCES)]
"""Every face set of ``faces.sources``."""

Network = Literal["zero_bias", "breuer", "zhu", "vgg", "residual"]
"""The networks that ``nets.build.build_network`` builds by name."""

Loss = Literal["cross_entropy", "label_smoothing", "focal", "centre", "island", "votes"]
"""The losses that ``train.losses.build_loss`` builds by name."""

Optimiser = Literal["sgd", "adamw"]
"""What makes a step of a gradient, see ``train.recipe``."""

Schedule = Literal["constant", "onecycle", "cosine"]
"""The learning rates over a training that ``train.objective.rate_of`` draws."""

Pooling = Literal["mean", "last", "both_ends"]
"""Which states of an LSTM name a clip, see ``nets.lstm.ClipLSTM``."""

AssociationMeasure = Literal["mean_difference", "smd", "wasserstein", "ks", "kl", "auroc"]
"""The measures of ``aus.measures``."""
