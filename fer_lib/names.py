"""The names that a parameter may take: face sets, networks, losses, measures, profiles."""

from typing import Literal

FaceDomain = Literal["lab", "wild", "game", "micro"]
"""The synthetic face sets."""

FaceSource = Literal[
    FaceDomain,
    *("fer2013", "ferplus", "ckplus", "tfd", "jaffe", "casme2", "samm", "mmi", "oulu_casia"),
    *("bu3dfe", "bu4dfe", "bp4d", "bp4dplus", "novaemotions"),
]
Network = Literal["zero_bias", "breuer", "zhu", "vgg", "residual"]
"""The networks that ``nets.build.build_network`` builds by name."""

Loss = Literal["cross_entropy", "label_smoothing", "focal", "centre", "island", "votes"]
"""The losses that ``train.losses.build_loss`` builds by name."""

AssociationMeasure = Literal["mean_difference", "smd", "wasserstein", "ks", "kl", "auroc"]
"""The measures of ``aus.measures``."""

Profile = Literal["smoke", "laptop", "paper"]

CLIP_SETS: tuple[FaceSource, ...] = ("micro", "casme2", "samm")
"""The face sets that hold clips, from onset over apex to offset."""
