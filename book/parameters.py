"""What every chapter takes, what every chapter that trains classifiers takes, and how profiles depend on the
face set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from face_sets.request import FaceRequest
from face_sets.sources import may_be_own
from fer_lib.names import FaceDomain, FaceSource
from fer_lib.train.recipe import TrainingRecipe
from ferbook.errors import DataError
from ferbook.parameters import DeviceField, Parameters, Profiles, SeedField, listed
from synthetic_faces.versions import unversioned

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet


def _made_here(name: object) -> object:
    """``lab`` of ``lab/2``, if this checkout makes that version; a list of names is no name."""
    return unversioned(name) if isinstance(name, str) and "/" in name and "," not in name else name


@dataclass(frozen=True)
class CheckedText:
    """Refuses a text that does not fit; ``allowed`` says what does."""

    allowed: str
    fits: Callable[[str], bool]

    def __call__(self, text: str) -> str:
        if not self.fits(text):
            raise ValueError(f"not {self.allowed}")
        return text


# The name of a face set. Whether your set is there is tested before a run, as for a real one.
FACE_NAME = CheckedText(
    " | ".join(get_args(FaceSource)) + " | the folder of your own faces.csv below FER_DATA",
    lambda name: name in get_args(FaceSource) or may_be_own(name),
)

FaceField = Annotated[
    str,
    BeforeValidator(_made_here),
    AfterValidator(FACE_NAME),
    Field(
        description="the face set: a synthetic one (lab, wild, game, micro), a real one below FER_DATA, or "
        "your own pictures there"
    ),
]


MOST_SUBJECTS = 20_000

DropoutField = Annotated[
    float, Field(ge=0, lt=1, description="dropout on the dense layer's input (D); 0.5 in the papers")
]

FoldsField = Annotated[
    int,
    Field(ge=0, le=200, description="at most so many folds of the protocol are trained and tested; 0: all"),
]

MostField = Annotated[
    int,
    Field(
        ge=0,
        le=1_000_000,
        description="so many pictures of the training split, drawn at random, and a third as many of the "
        "validation split; 0 takes all",
    ),
]

SeedsField = Annotated[int, Field(ge=1, le=50, description="trainings of each condition, from `seed` on")]

PrecisionField = Annotated[
    Literal["auto", "fp32", "bf16"],
    Field(description="number format of training; auto takes bfloat16 where the processor computes in it"),
]

BootstrapField = Annotated[
    int, Field(ge=100, le=100_000, description="subject-cluster bootstrap draws behind each interval")
]


def _is_face_set(name: str, colon: str, people: str) -> bool:
    counted = name in get_args(FaceDomain) and people.isdecimal() and int(people) <= MOST_SUBJECTS
    return name in get_args(FaceSource) and (counted or not colon)


def _are_face_sets(text: str) -> bool:
    parts = [part.partition(":") for part in listed(text)]
    return len({name for name, *_ in parts}) == len(parts) and all(_is_face_set(*part) for part in parts)


FACE_SETS = CheckedText(
    "one or more face sets, separated by commas, each at most once; a synthetic one may have its number of "
    "people behind a colon, as in wild:500,game:24",
    _are_face_sets,
)


def face_sets(text: str) -> dict[str, int]:
    """Name -> number of people (0: the set's own) of a list that ``FACE_SETS`` has checked."""
    parts = (part.partition(":") for part in listed(text))
    return {name: int(people or 0) for name, _, people in parts}


def on_fer2013(profile: str, values: object) -> dict[tuple[str, str], Any]:
    """What ``profile`` sets, or takes, on FER2013, whichever labels the pictures have."""
    return {(profile, "fer2013"): values, (profile, "ferplus"): values}


# What the profiles change for all chapters.
EVERY_CHAPTER: Profiles = {
    "smoke": {"subjects": 24, "size": 32},
    "paper": {"size": 96},
    # The sets that are published in 48 pixels.
    **on_fer2013("smoke", {"size": 48}),
    **on_fer2013("paper", {"size": 48}),
    ("smoke", "tfd"): {"size": 48},
}


class ChapterParameters(Parameters):
    """What every chapter takes: which faces, which seed, which device."""

    # Whether its networks are trained on emotions, so that it cannot be about a set that never has any.
    needs_emotions: ClassVar[bool] = False

    faces: FaceField = "lab"
    subjects: int = Field(
        0, ge=0, le=MOST_SUBJECTS, description="synthetic faces: number of people; 0 takes the set's own"
    )
    size: int = Field(
        48, ge=0, le=256, multiple_of=8, description="side of a picture in pixels; 0 takes the set's own"
    )
    face_seed: int = Field(0, ge=0, lt=2**31, description="synthetic faces: seed of people and pictures")
    seed: SeedField = 0
    device: DeviceField = "auto"
    publish_faces: bool = Field(False, description="show pictures of licensed subjects on the page")

    @classmethod
    def of_profile(cls, profiles: Profiles, profile: str, choices: Mapping[str, object]) -> dict[str, object]:
        """What the profile sets for every chapter, then for this one, then both on the requested face
        set: ``profiles`` may have keys ``(profile, faces)``."""
        faces = choices.get("faces", cls.model_fields["faces"].default)
        layers = (
            each.get(key, {}) for key in (profile, (profile, faces)) for each in (EVERY_CHAPTER, profiles)
        )
        return {name: value for layer in layers for name, value in layer.items()}

    @property
    def face_request(self) -> FaceRequest:
        """Which faces the chapter is about."""
        return self.request(self.faces, self.subjects)

    def request(self, name: str, subjects: int = 0) -> FaceRequest:
        """The face set ``name`` in the chapter's size; of a synthetic one so many ``subjects`` (0: the set's
        own) of the chapter's face seed.
        """
        if name not in get_args(FaceDomain):
            return FaceRequest(name, size=self.size)
        return FaceRequest(name, subjects, self.size, self.face_seed)

    @property
    def face_requests(self) -> tuple[FaceRequest, ...]:
        """All face sets that the chapter opens: the one that it is about, then the further ones.

        A real set among the latter may be absent on a machine.
        """
        return (self.face_request,)

    def data_key(self) -> dict[str, str]:
        """Each face set that the chapter opens -> its fingerprint, and each population -> its networks'."""
        from face_sets.registry import fingerprint

        key = {str(request): fingerprint(request) for request in self.face_requests}
        if populations := getattr(self, "populations", ()):
            from book.populations import find_population

            key |= {f"population {name}": find_population(name).key() for name in populations}
        return key

    @property
    def skip_reason(self) -> str:
        """What a run with these parameters leaves out, and why, said before it starts; empty if nothing."""
        return ""

    def require(self, faces: "FaceSet") -> None:
        """Raise DataError or ParameterError where the chapter cannot be about ``faces``: called before
        anything is executed.
        """


class NetworkParameters(ChapterParameters):
    """Parameters of a chapter that evaluates trained networks."""

    population: str = Field(
        "",
        description="the networks that are evaluated, by their name in populations.yaml; empty: the one that "
        "chapter training made in this run",
    )

    @property
    def populations(self) -> tuple[str, ...]:
        """All populations that the chapter reads: the one that it is about, then the further ones."""
        return (self.population,) if self.population else ()


# Face seeds whose people an earlier reference, or a trial of one, evaluated: a new reference that evaluated
# them again would confirm what was chosen on them.
EARLIER_EVAL_SEEDS = frozenset({1, 2, 3, 11, 40, 41, 4242, 4711})


def _are_pairs(text: str) -> bool:
    pairs = [pair.split(":") for pair in listed(text)] if text else []
    names = [name for pair in pairs for name in pair]
    return all(len(pair) == 2 for pair in pairs) and len(set(names)) == len(names) and all(names)


# Populations that are measured, each with its ceiling.
ROLE_PAIRS = CheckedText(
    "pairs of populations, each measured:ceiling, separated by commas, as in emotions:units", _are_pairs
)


class RoleParameters(NetworkParameters):
    """Parameters of a chapter that evaluates networks of each role on held-out people."""

    roles: Annotated[str, AfterValidator(ROLE_PAIRS)] = Field(
        "emotions:units",
        description="the networks that claims measure, each with those of the same recipe and pictures that "
        "were trained on units, as emotions:units; the first pair is of the structure of the page's network",
    )
    eval_face_seed: int = Field(
        -1,
        ge=-1,
        lt=2**31,
        description="synthetic faces: seed of the people who are evaluated, on whom no network was trained; "
        "-1 takes face_seed + 1",
    )
    of_each: int = Field(
        3, ge=0, le=100, description="networks of each of these that are evaluated, at most; 0: all"
    )

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names of the populations that are measured, each with that of its ceiling."""
        names = (pair.partition(":") for pair in listed(self.roles)) if self.roles else ()
        return tuple((measured, ceiling) for measured, _, ceiling in names)

    @property
    def populations(self) -> tuple[str, ...]:
        """Those that the chapter is about, and those of the roles where they can be evaluated."""
        roles = () if self.skip_reason else (name for pair in self.pairs for name in pair)
        return tuple(dict.fromkeys((*super().populations, *roles)))

    @property
    def eval_seed(self) -> int:
        """The seed of all people who are evaluated; no network was trained on them."""
        return self.face_seed + 1 if self.eval_face_seed < 0 else self.eval_face_seed

    @property
    def skip_reason(self) -> str:
        """As its parent's, of the parameters alone: why the first pair of roles cannot be evaluated."""
        return self.not_measured(self.pairs[0][0]) if self.pairs else ""

    def not_measured(self, name: str) -> str:
        """Why networks of the population ``name`` cannot be evaluated on this run's people; empty if they
        can.
        """
        if self.faces not in get_args(FaceDomain):
            return f"degrees of filters: the units of {self.faces!r} are unknown; {name!r} are left out"
        from book.populations import find_population

        faces = find_population(name).faces
        if (faces.name, faces.size) != (self.faces, self.size):
            own = f"{self.faces} at {self.size}"
            return f"degrees of filters: {name!r} learned from {faces.name} at {faces.size} pixels, not {own}"
        if faces.face_seed == self.eval_seed:
            return (
                f"degrees of filters: {name!r} were trained on the people of face_seed {self.eval_seed}, who "
                "would be evaluated; give another eval_face_seed"
            )
        return ""


class ComparedParameters(NetworkParameters):
    """Parameters of a chapter that evaluates several populations, and rendered people with chosen units."""

    beside: str = Field(
        "", description="further populations that are evaluated, by their names, separated by commas"
    )

    @property
    def populations(self) -> tuple[str, ...]:
        """The population that the chapter is about, then the further ones."""
        return (*super().populations, *self.others)

    @property
    def others(self) -> tuple[str, ...]:
        """The further populations."""
        return tuple(listed(self.beside)) if self.beside else ()

    @property
    def domain(self) -> str:
        """The synthetic domain whose people show chosen units: that of the faces, with a real set
        ``lab``.
        """
        return self.faces if self.faces in get_args(FaceDomain) else "lab"


class RecipeParameters(TrainingRecipe, ChapterParameters):
    """What a chapter that trains classifiers takes, which is a recipe."""

    needs_emotions: ClassVar[bool] = True
    # Fields that say how a network is trained: unused where stored networks are evaluated.
    training_fields: ClassVar[frozenset[str]] = frozenset(
        {*TrainingRecipe.model_fields, "dropout", "precision"}
    )

    dropout: DropoutField = 0.5
    precision: PrecisionField = "auto"
    bootstrap: BootstrapField = 2000

    @property
    def recipe(self) -> TrainingRecipe:
        """The recipe without what else the chapter takes."""
        return TrainingRecipe(**{name: getattr(self, name) for name in TrainingRecipe.model_fields})

    @classmethod
    def idle(cls, values: Mapping[str, object]) -> dict[str, str]:
        """The training fields, where stored networks are evaluated."""
        name = values.get("population")
        reason = f"population {name!r} is evaluated"
        return dict.fromkeys(cls.training_fields & values.keys(), reason) if name else {}

    def require(self, faces: "FaceSet") -> None:
        """Two emotions, and pictures with one in every split."""
        labelled = faces.labelled()
        lacking = [split for split in ("train", "valid", "test") if split not in set(labelled.table["split"])]
        if lacking or len(labelled.classes) < 2:
            fault = f"no labelled picture in its split {lacking[0]}" if lacking else "one emotion only"
            raise DataError(
                f"face set {faces.name!r} has {fault}; a classifier needs two emotions, and three splits"
            )
