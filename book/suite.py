"""What the engine requires of this book: how its runs are named, which code and data its numbers depend on,
the commands that know faces, and what is checked and made before a run.

Read by every command, so heavy modules are imported inside the functions.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from book.parameters import EARLIER_EVAL_SEEDS, ChapterParameters, RecipeParameters, RoleParameters
from book.populations import find_population
from ferbook.book import Suite
from ferbook.console import errors
from ferbook.errors import DataError, ParameterError, nearest_name
from ferbook.records import ChapterRecord, Record
from ferbook.store import ChapterResult

if TYPE_CHECKING:
    from face_sets.faceset import FaceSet
    from face_sets.sources import Source


class OpenedFaces(Record):
    """A face set that a chapter opened."""

    name: str
    pictures: int = 0
    checksum: str = ""


class EvaluatedPopulation(Record):
    """Which networks of a population a chapter evaluated: their seeds, and why others failed."""

    kept: list[int | str]
    failed: dict[str, str] = Field(default={})


class TrainedIn(Record):
    """The format that a chapter trained in."""

    name: str
    channels_last: bool


class FacesRecord(ChapterRecord):
    """What chapters about faces note in addition to the engine's; a chapter need not open any faces."""

    data: OpenedFaces | None = None
    beside: list[OpenedFaces] = Field(default=[])
    populations: dict[str, EvaluatedPopulation] = Field(default={})
    precision: TrainedIn | None = None

    @property
    def seen(self) -> list[str]:
        """The face sets that were opened, each once: synthetic ones with their version, as ``lab/2``."""
        return list(dict.fromkeys(faces.name for faces in [self.data, *self.beside] if faces))

    @property
    def outdated(self) -> str:
        """The synthetic ones in versions that are not made here."""
        from synthetic_faces.versions import another

        return ", ".join(filter(None, map(another, self.seen)))

    @property
    def stored_networks(self) -> frozenset[str]:
        """Each network of a population that was evaluated, as ``emotions 3``."""
        return frozenset(f"{name} {seed}" for name, of in self.populations.items() for seed in of.kept)

    @property
    def opened_pictures(self) -> frozenset[str]:
        """The digests of the face sets that were opened."""
        return frozenset(faces.checksum for faces in [self.data, *self.beside] if faces)

    @property
    def extent(self) -> str:
        """How many networks of populations were evaluated; empty where none was."""
        networks = sum(len(asked.kept) for asked in self.populations.values())
        return f"{networks} network{'s' * (networks > 1)}" if networks else ""

    @property
    def provenance(self) -> list[tuple[str, str]]:
        """Which faces and networks the chapter was about, and in which format it trained."""
        sets = [("Data", self.data)] if self.data else []
        rows = [
            (what, f"`{faces.name}`, {faces.pictures:,} pictures, SHA-256 `{faces.checksum[:16]}…`")
            for what, faces in [*sets, *(("Further faces", each) for each in self.beside)]
        ]
        for name, asked in self.populations.items():
            seeds = ", ".join(map(str, asked.kept)) or "none is stored"
            failed = "".join(f"; seed {seed} {why}" for seed, why in asked.failed.items())
            rows += [("Networks", f"population `{name}`, {len(asked.kept)} networks (seeds {seeds}){failed}")]
        if self.precision:
            layout = " channels-last" if self.precision.channels_last else ""
            rows.append(("Trained in", f"{self.precision.name}{layout}"))
        return rows


def known_set(name: str) -> "Source":
    """Return the face set ``name``. Raises ParameterError, with the nearest name, where there is none."""
    from face_sets.registry import REGISTRY, named_source, own_sets

    try:
        return named_source(name)
    except ParameterError as fault:
        raise ParameterError(f"{fault}{nearest_name(name, [*REGISTRY, *own_sets()])}") from fault


def check_parameters(parameters: Mapping[str, ChapterParameters]) -> None:
    """Refuse face sets that are not here, and a layer that the network of a chapter, of its population or of
    chapter ``training``, does not have, before hours go into training it.

    A network's layers have the same names at every size and number of classes.
    """
    from face_sets.registry import require_source

    for model in parameters.values():
        require_source(known_set(model.faces).name)
    for name in {name for model in parameters.values() for name in getattr(model, "populations", ())}:
        find_population(name)
    for chapter, model in parameters.items():
        if isinstance(model, RoleParameters) and not model.of_each and model.eval_seed in EARLIER_EVAL_SEEDS:
            raise ParameterError(
                f"{chapter}: eval_face_seed = {model.eval_seed} was evaluated by an earlier reference; a "
                "confirmation takes people of no earlier evaluation"
            )
        if getattr(model, "layer", ""):
            _require_layer(chapter, model, parameters.get("training"))


def _require_layer(chapter: str, model: ChapterParameters, training: ChapterParameters | None) -> None:
    from fer_lib.look.layers import find_layer
    from fer_lib.nets.build import build_network

    if name := model.population or getattr(training, "population", ""):
        population = find_population(name)
        network, size, options = population.network, population.faces.size, population.options
    elif training is not None:
        network, size, options = training.network, training.size, training.network_options
    else:
        return
    try:
        find_layer(build_network(network, 2, size or 96, **options), model.layer)
    except ParameterError as fault:
        raise ParameterError(f"{chapter}.layer: {fault}") from fault


def prepare(models: list[ChapterParameters]) -> None:
    """Make, or read and cache, each face set once and here: the user sees a progress bar, bad data stop the
    run before anything executes, and chapters that run side by side do not all make the same set. What a
    layout never has is reported before a picture is read. A rendered set that one chapter alone takes in
    addition to its own is left to it: most are small, so one core makes them while the other chapters have
    the rest.
    """
    from face_sets.describe import names_in_two_cases
    from face_sets.registry import named_source, open_faces, source_status

    _require_of_all(models, _require_emotions)
    for words in dict.fromkeys(
        f"{_chapter_of(model)}: {model.skip_reason}" for model in models if model.skip_reason
    ):
        errors.print(f"not answered by {words}")
    opened = {request: open_faces(request) for request in {model.face_request for model in models}}
    for faces in opened.values():
        for note in names_in_two_cases(faces):
            errors.print(f"note: {note}")
    _require_of_all(models, lambda model: _require_fit(model, opened[model.face_request]))
    takers = Counter(request for model in models for request in model.face_requests[1:])
    for request, number in takers.items():
        if source_status(request.name)["found"] and (number > 1 or named_source(request.name).reader):
            open_faces(request)


def _chapter_of(model: ChapterParameters) -> str:
    return type(model).__module__.split(".")[1]


def _require_of_all(models: list[ChapterParameters], require: Callable[[ChapterParameters], None]) -> None:
    """Raise one DataError with all that ``require`` says of the ``models``."""
    faults: dict[str, list[str]] = {}
    for model in models:
        try:
            require(model)
        except (DataError, ParameterError) as fault:
            faults.setdefault(str(fault), []).append(_chapter_of(model))
    if faults:
        every = "; ".join(f"chapter {', '.join(names)}: {fault}" for fault, names in faults.items())
        raise DataError(f"{every}. Name other chapters in `ferbook run CHAPTER …`; `faces` takes all")


def _require_emotions(model: ChapterParameters) -> None:
    from face_sets.registry import named_source

    reader = named_source(model.faces).module
    if model.needs_emotions and reader and getattr(import_module(reader), "NO_EMOTIONS", False):
        raise DataError(f"face set {model.faces!r} has no emotions to train networks on")


def _require_fit(model: ChapterParameters, faces: "FaceSet") -> None:
    """Raise DataError unless the faces have what the chapter needs, and a real set two people to test on in
    the folds that are requested, or in its split, where people are drawn again: of one no interval can be.
    """
    import numpy as np

    from face_sets.folds import protocol_of
    from face_sets.leakage import independent_groups
    from face_sets.registry import REGISTRY, named_source

    model.require(faces)
    reader = named_source(faces.name).reader
    if not reader or not hasattr(model, "bootstrap"):
        return
    own = reader == REGISTRY["own"].reader
    mend = "add people, or say in a column split who is tested" if own else "add people"
    if hasattr(model, "folds"):
        faces = faces.labelled()
        folds = protocol_of(faces).folds
        selection = folds[: model.folds or None]
        if len(selection) < len(folds):
            mend = f"-p folds=2 tests in two of {len(folds)} folds, -p folds=0 in all"
        pictures = faces.select(np.unique(np.concatenate([fold.test for fold in selection])))
    elif isinstance(model, RecipeParameters) or own:
        pictures = faces.split("test")
    else:
        return
    count = len(set(independent_groups(pictures)))
    if count < 2:
        raise DataError(f"face set {faces.name!r} has {count} person to test on; two are needed: {mend}")


def verdicts(results: Mapping[str, ChapterResult]) -> str:
    """What ``au_verification`` found of the filters in the atlas of ``deconvolution``: as rules of style that
    show it on each tile, and as JSON for the atlas's script, with the layer, by a claimed filter's number the
    unit of the claim and the one that moves it most, and the words of each unit. Empty where the two pages
    are not about the same network.
    """
    from fer_lib.aus.verification import Detectors
    from synthetic_faces.facs import ACTION_UNITS

    verification, atlas = (results.get(name) for name in ("au_verification", "deconvolution"))
    if not verification or not atlas or _network_of(verification) != _network_of(atlas):
        return ""
    detectors = verification.artefact("detectors", Detectors)
    filters = {each.filter: (each.au, each.moved_by) for each in detectors.filters}
    words = {
        au: f"{unit.name} {unit.muscle} {unit.appearance} {unit.everyday}".lower()
        for au, unit in ACTION_UNITS.items()
    }
    content = json.dumps({"layer": detectors.layer, "filters": filters, "words": words}).replace(
        "<", "\\u003c"
    )
    rules = "".join(
        f'[data-layer="{detectors.layer}"] #filter-{each.filter} summary::after'
        f'{{content:"{"✓ " * each.verified}{each.au}"}}'
        for each in detectors.filters
    )
    style = f"<style>{rules}</style>"
    return f'<div>{style}<script type="application/json" id="filter-verdicts">{content}</script></div>'


def _network_of(result: ChapterResult) -> tuple[Path, str]:
    """Which network a chapter looked at first: the run, and the population, empty of chapter ``training``."""
    return result.folder.parent, next(iter(result.record().populations), "")


SUITE = Suite(
    title="Run, build and check the chapters of the paper suite on facial expression recognition.",
    named_by=("faces",),
    standalone_by="population",
    packages=("fastai", "numpy", "pandas", "scikit-learn", "scipy", "torch"),
    code=("fer_lib", "face_sets", "synthetic_faces.facs"),
    # Compared by content: a result stores what chapter.py and book.parameters resolve to; the fingerprint
    # of a face set covers what makes its pictures, and the key of a population its networks.
    not_code=(
        *("book.session", "book.parameters", "book.commands", "book.populations", "book.suite"),
        *("face_sets.paths", "fer_lib.names", "face_sets.readers"),
    ),
    run_folders=("populations",),
    again=("other_heads_", "on a second head model"),
    path_variables=("FER_DATA", "FER_CACHE"),
    commands={
        "data": "book.commands:data_app",
        "populations": "book.commands:populations_app",
        "predict": "book.commands:predict_command",
        "explain": "book.commands:explain_picture",
        "evaluate": "book.commands:evaluate_method",
        "detector": "book.commands:detector_app",
    },
    check=check_parameters,
    prepare=prepare,
    record=FacesRecord,
    must_agree=(
        *("size", "network", "bias", "emotions", "layer", "method", "measure", "present_from", "timing"),
    ),
    placeholders={
        "<!-- verdicts -->": "book.suite:verdicts",
        "<!-- action units -->": "book.kept:kept_units",
        "<!-- emotions -->": "book.kept:kept_emotions",
        "<!-- live -->": "book.kept:kept_live",
        "<!-- baselines -->": "book.kept:kept_baselines",
        "<!-- detectors -->": "book.kept:kept_detectors",
        "<!-- real units -->": "book.page_parts:real_units",
        "<!-- benchmarks -->": "book.page_parts:benchmarks_text",
        "<!-- costs -->": "book.page_parts:costs",
        "<!-- frontier -->": "book.page_parts:frontier",
        "<!-- findings -->": "book.page_parts:findings",
        "<!-- layouts -->": "book.page_parts:layouts",
    },
)
