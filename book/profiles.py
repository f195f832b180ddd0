"""What the profiles, and single face sets, change on the defaults of the models."""

from typing import get_args

from fer_lib.names import FaceSource, Loss, Network, Profile

_AS_PUBLISHED = {"batch_size": 64, "lr": 0.01, "schedule": "constant", "augment": "published", "gain": 0.0}
"""Khorrami et al. 2015: constant rate, variant AD, k drawn. It takes some 31,000 batches of 64."""

_HARD_LOSSES = tuple(loss for loss in get_args(Loss) if loss != "votes")
_AT_LENGTH = {
    **{"subjects": 0, "size": 48, "epochs": 60, "batch_size": 128, "lr": 0.1, "nesterov": True},
    **{"weight_decay": 5e-4, "augment": "standard", "dropout": 0.3, "averaging": 0.999, "bootstrap": 10_000},
    **{"structures": ",".join(get_args(Network)), "seeds": 5},
}
"""Structure and loss in the ``paper`` profile: every structure, five seeds."""

_WITH_VOTES = {"structure_and_loss": {"losses": ",".join(get_args(Loss))}}
_OWN_PEOPLE = {"structure_and_loss": {"subjects": 0}}

_FEW_FILTERS = {"located_filters": 12, "checked_filters": 4}
_MANY_FILTERS = {"located_filters": 256, "checked_filters": 256}

PROFILES: dict[str, dict[str, dict[str, object]]] = {
    "smoke": {
        "*": {"subjects": 24},
        "faces": {"samples": 3, "domain_subjects": 9},
        "training": {"epochs": 2, "ablation_epochs": 1, "bootstrap": 200},
        "structure_and_loss": {
            **{"size": 16, "epochs": 1, "seeds": 1, "labels": False, "bootstrap": 200},
            **{"structures": "zhu,residual", "losses": "cross_entropy,focal"},
        },
        "deconvolution": {**_FEW_FILTERS, "shuffled_epochs": 1, "bootstrap": 200},
        "au_verification": {
            **{"permutations": 99, "untrained": 1, "shuffled_epochs": 1, "people": 6, "silenced": 4},
            **{"repeats": 1, "simulations": 20, "bootstrap": 100},
        },
        "transfer": {
            **{"size": 16, "epochs": 1, "tuned_epochs": 1, "au_epochs": 1, "beside": "wild:24,game:9"},
            **{"fractions": "0,10,100", "draws": 1, "factor_people": 4, "bootstrap": 100},
        },
        "micro_expressions": {
            **{"subjects": 6, "clip_frames": 8, "epochs": 3, "seeds": 1, "control_seeds": 1},
            "bootstrap": 200,
        },
        "derl": {
            **{"pretrain_people": 8, "pretrain_expressions": 4, "gan_epochs": 1, "folds": 1, "epochs": 1},
            **{"views": 1, "bootstrap": 200},
        },
    },
    "laptop": {},
    "paper": {
        "*": {"size": 96},
        "training": {
            **_AS_PUBLISHED,
            **{"epochs": 2500, "ablation_epochs": 500, "folds": 0, "bootstrap": 10_000},
        },
        "structure_and_loss": {**_AT_LENGTH, "losses": ",".join(_HARD_LOSSES)},
        "deconvolution": {**_MANY_FILTERS, "shuffled_epochs": 60, "bootstrap": 10_000},
        "au_verification": {
            **{"permutations": 10_000, "untrained": 20, "shuffled_epochs": 60, "people": 48, "contexts": 3},
            **{"repeats": 50, "planted_permutations": 1999, "simulations": 2000, "bootstrap": 2000},
        },
        "transfer": {
            **{
                "network": "residual",
                "size": 48,
                "epochs": 60,
                "batch_size": 128,
                "nesterov": True,
                "weight_decay": 5e-4,
            },
            **{
                "averaging": 0.999,
                "beside": "wild,game",
                "most": 0,
                "seeds": 5,
                "draws": 5,
                "tuned_epochs": 60,
            },
            **{"au_epochs": 60, "factor_people": 400, "bootstrap": 10_000},
        },
        "micro_expressions": {
            **{"clip_frames": 32, "epochs": 100, "seeds": 5, "control_seeds": 5, "tuned": True},
            "bootstrap": 10_000,
        },
        "derl": {
            **{"pretrain_people": 600, "gan_epochs": 200, "gan_batch": 32, "gan_lr": 2e-4, "folds": 0},
            **{"epochs": 60, "views": 8, "seeds": 5, "bootstrap": 10_000},
        },
    },
}
"""What each profile changes: profile -> chapter (or ``*`` for all) -> field -> value."""

_FER2013: dict[str, dict[str, dict[str, object]]] = {
    "smoke": {
        "training": {"epochs": 1, "ablation_epochs": 0},
        "structure_and_loss": {"size": 48, "seeds": 1, "ladder": False, "labels": False},
        "transfer": {"size": 48, "beside": "wild:24", "fractions": "0,1", "draws": 1},
    },
    "laptop": {
        "training": {"epochs": 10, "ablation_epochs": 0},
        "structure_and_loss": {
            **_AT_LENGTH,
            **{"size": 24, "most": 6000, "epochs": 10, "seeds": 2, "averaging": 0.0, "bootstrap": 2000},
            **{"structures": "zhu,residual", "losses": "cross_entropy,label_smoothing"},
        },
        "deconvolution": {"shuffled_epochs": 1},
        "transfer": {
            **{"size": 48, "epochs": 8, "batch_size": 128, "beside": "wild:500", "most": 0},
            **{"fractions": "0,1,5,10,100", "draws": 2, "tuned_epochs": 8},
        },
    },
    "paper": {
        **{"*": {"size": 48}, "training": {"epochs": 70, "ablation_epochs": 20}},
        "transfer": {"beside": "wild"},
    },
}

PROFILES_ON_FACES: dict[str, dict[str, dict[str, dict[str, object]]]] = {
    "lab": {"laptop": _OWN_PEOPLE},
    "wild": {
        "smoke": {"transfer": {"beside": "lab:24,game:9"}},
        "laptop": {
            "training": {"epochs": 15, "ablation_epochs": 3},
            "transfer": {"subjects": 500, "beside": "lab,game"},
        },
        "paper": {
            "training": {"epochs": 420, "ablation_epochs": 100},
            "transfer": {"beside": "lab,game"},
        },
    },
    "game": {
        "smoke": {"transfer": {"beside": "lab:24,wild:24"}},
        "laptop": {
            "training": {"epochs": 30},
            "transfer": {"beside": "lab,wild:500"},
            **_OWN_PEOPLE,
        },
        "paper": {
            "training": {"epochs": 1000, "ablation_epochs": 250},
            "transfer": {"beside": "lab,wild"},
            **_WITH_VOTES,
        },
    },
    "micro": {
        "laptop": {"training": {"epochs": 20, "ablation_epochs": 4}, **_OWN_PEOPLE},
        "paper": {"training": {"epochs": 840, "ablation_epochs": 200}},
    },
    "tfd": {"laptop": {"training": {"epochs": 20, "ablation_epochs": 5}, "transfer": {"size": 48}}},
    "fer2013": _FER2013,
    "ferplus": _FER2013 | {"paper": _FER2013["paper"] | _WITH_VOTES},
}
"""What a profile changes further on one face set: faces -> profile -> chapter -> field -> value."""


def profile_values(chapter: str, profile: Profile, faces: FaceSource) -> dict[str, object]:
    """The fields that ``profile`` sets for ``chapter`` on the face set ``faces``."""
    layers = (PROFILES[profile], PROFILES_ON_FACES.get(faces, {}).get(profile, {}))
    return {
        field: value
        for layer in layers
        for scope in ("*", chapter)
        for field, value in layer.get(scope, {}).items()
    }
