"""What a chapter notebook holds: its parameters, its faces, and where its numbers and figures go."""

import base64
import html
import io
import os
import shutil
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

import pandas as pd
import torch
from IPython.display import HTML
from matplotlib import pyplot
from matplotlib.figure import Figure

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.registry import REGISTRY, open_faces, source_status
from fer_lib.train.device import device_name, pick_device
from fer_lib.train.learner import seed_everything
from fer_lib.train.precision import Precision
from fer_lib.train.weights import load_weights, save_weights
from ferbook import paths
from ferbook.book import Chapter, find_chapter
from ferbook.errors import ChapterError, ParameterError, nearest_name
from ferbook.estimate import Estimate
from ferbook.execute import OUTPUT_VARIABLE, RUN_VARIABLE, STORED_VARIABLE, THREADS_VARIABLE
from ferbook.page.tables import as_html
from ferbook.parameters import parse_value
from ferbook.store import ChapterResult, all_runs, latest_run, read_json, write_json

FIGURE_TOLERANCE = 1e-6
"""By how much a number in a figure's CSV may differ when the chapter is executed again."""

_SHELL_NAMES = {"In", "Out", "get_ipython", "exit", "quit", "open"}


class Session:
    """An open chapter. Made by ``open_chapter``; writes into one folder, and notes there what it used."""

    def __init__(self, chapter: Chapter, parameters: Mapping[str, object], output: Path, run: Path) -> None:
        self.chapter = chapter
        self.params = chapter.parameters(**parameters)
        self.output = output
        self._run = run
        self.device: torch.device = pick_device(self.params.device)
        threads = int(os.environ.get(THREADS_VARIABLE, "0"))
        if threads:
            torch.set_num_threads(threads)
        seed_everything(self.params.seed)
        self._record: dict[str, object] = {
            "device": device_name(self.device),
            "threads": torch.get_num_threads(),
            "figures": {},
        }
        self._metrics: dict[str, object] = {}
        self._write()

    def _write(self) -> None:
        write_json(self.output / "record.json", self._record)
        write_json(self.output / "metrics.json", self._metrics)

    def faces(self) -> FaceSet:
        """The face set that the parameters name; its checksum goes into the run's record."""
        faces = open_faces(**dict(self.params.face_source), progress=False)
        self.note(data=_about(faces))
        return faces

    def beside(self, name: str) -> FaceSet | None:
        """The face set ``name`` that the chapter sets beside its own; None where it is not on this machine.

        Raises ChapterError where the chapter's parameters do not declare it: its result would not be
        noticed as out of date when those faces change.
        """
        declared = {dict(source)["name"]: dict(source) for source in self.params.face_sources[1:]}
        if name not in declared:
            raise ChapterError(
                f"chapter {self.chapter.name!r} does not declare the face set {name!r}; it declares "
                f"{', '.join(declared) or 'none beside its own'}"
            )
        if not source_status(name)["found"]:
            return None
        faces = open_faces(**declared[name], progress=False)
        seen = [*self._record.get("beside", []), _about(faces)]
        self.note(beside=seen)
        return faces

    @property
    def precision(self) -> str | Precision:
        """What to train in: the parameter ``precision``, or under ``ferbook check`` the format that the
        stored run chose, since ``auto`` may choose otherwise on a busier machine."""
        stored = os.environ.get(STORED_VARIABLE)
        chosen = read_json(Path(stored)).get("precision") if stored else None
        return Precision(**chosen) if chosen else self.params.precision

    @cached_property
    def may_show_faces(self) -> bool:
        """Whether single pictures may appear on the page: the set is free, or the user said so."""
        return REGISTRY[self.params.faces].shareable or self.params.publish_faces

    def upstream(self, name: str) -> ChapterResult:
        """The finished result of a chapter that this one depends on.

        Raises ChapterError where the chapter is not declared upstream or not finished.
        """
        if name not in self.chapter.upstream:
            raise ChapterError(
                f"chapter {self.chapter.name!r} does not declare {name!r} as upstream in chapters.py"
            )
        result = ChapterResult(name, self._run / name)
        if result.done() is None:
            raise ChapterError(f"chapter {name!r} is not finished in this run; `ferbook run {name}` makes it")
        return result

    def network(self, name: str) -> torch.nn.Module:
        """The network that the upstream chapter ``name`` keeps, on this chapter's device and in evaluation
        mode.

        Raises ChapterError as ``upstream`` does, DataError where its weights are absent or damaged.
        """
        return load_weights(self.upstream(name).folder / "weights.safetensors").to(self.device)

    def note(self, **facts: object) -> None:
        """Add facts (plain JSON values) to the chapter's record."""
        self._record.update(facts)
        self._write()

    def save_metrics(self, metrics: Mapping[str, Estimate]) -> None:
        """Store metrics by name; prose and other chapters quote them from ``metrics.json``."""
        self._metrics |= {name: metric.to_json() for name, metric in metrics.items()}
        self._write()

    @property
    def metrics(self) -> dict[str, dict]:
        """What ``save_metrics`` has stored so far, as in ``metrics.json``."""
        return dict(self._metrics)

    def show_table(
        self,
        table: pd.DataFrame,
        caption: str,
        formats: Mapping[str, str | Callable[[object], str]] | None = None,
    ) -> HTML:
        """The table for display, with a caption; ``formats`` as in ``ferbook.page.tables.as_html``."""
        return HTML(as_html(table, caption, formats))

    def show(self, fragment: str) -> HTML:
        """HTML that a function of ``report`` wrote, for display as it is."""
        return HTML(fragment)

    def say(self, text: str) -> HTML:
        """A sentence in place of a figure that this face set or these parameters do not allow."""
        return HTML(f'<p class="not-shown">{html.escape(text)}</p>')

    def save_figure(
        self,
        name: str,
        drawn: tuple[Figure, pd.DataFrame, str],
        caption: str = "",
        tolerance: float | Mapping[str, float] = FIGURE_TOLERANCE,
    ) -> HTML:
        """Store ``figures/<name>.svg`` and the numbers it shows as ``.csv``; returns it for display.

        ``drawn`` is what a function of ``report.figures`` returns: figure, data, alt text.
        ``tolerance``: the largest absolute difference on re-execution, for all numeric columns or by column;
        a column that is not named may not move at all.
        """
        figure, data, alt = drawn
        if not alt.strip():
            raise ChapterError(f"figure {name!r} has no alt text")
        if data.empty:
            raise ChapterError(f"figure {name!r} comes without the numbers it shows")
        folder = self.output / "figures"
        folder.mkdir(exist_ok=True)
        picture = io.BytesIO()
        figure.savefig(picture, format="svg", metadata={"Date": None})
        pyplot.close(figure)
        (folder / f"{name}.svg").write_bytes(picture.getvalue())
        table = data.to_csv(index=False, float_format="%.9g")
        (folder / f"{name}.csv").write_text(table, encoding="utf-8")
        allowed = dict(tolerance) if isinstance(tolerance, Mapping) else tolerance
        self._record["figures"][name] = {"alt": alt, "tolerance": allowed}
        self._write()
        return HTML(_figure_html(name, picture.getvalue(), table, alt, caption))

    def save_weights(self, model: torch.nn.Module, about: dict) -> Path:
        """Store the network as ``weights.safetensors`` and ``weights.json``; returns the former's path."""
        return save_weights(model, self.output / "weights.safetensors", about)


def _figure_html(name: str, picture: bytes, table: str, alt: str, caption: str) -> str:
    """The figure with its numbers behind a link, complete in itself: no other file is needed to read it."""
    data = base64.b64encode(table.encode()).decode()
    image = base64.b64encode(picture).decode()
    words = f"{html.escape(caption)} " if caption else ""
    return (
        f'<figure class="fer-figure"><img alt="{html.escape(alt)}" src="data:image/svg+xml;base64,{image}"/>'
        f'<figcaption>{words}<a download="{name}.csv" href="data:text/csv;base64,{data}">'
        f"Numbers (CSV)</a></figcaption></figure>"
    )


def _parameters_from(chapter: Chapter, namespace: Mapping[str, object]) -> dict[str, object]:
    fields = chapter.parameters.model_fields
    given = {
        name: value
        for name, value in namespace.items()
        if isinstance(value, bool | int | float | str)
        and not name.startswith("_")
        and name not in _SHELL_NAMES
    }
    for name in given:
        if name not in fields:
            raise ParameterError(
                f"{chapter.name} has no parameter {name!r}{nearest_name(name, fields)}; "
                f"its parameters are {', '.join(fields)}"
            )
    for name in fields:
        if name not in given:
            raise ParameterError(f"the parameters cell of {chapter.name} does not assign {name!r}")
    return {name: parse_value(chapter.name, chapter.parameters, name, value) for name, value in given.items()}


def _about(faces: FaceSet) -> dict[str, object]:
    exported = source_status(faces.name)["exported_from"]
    name = f"{faces.name} (pictures of {exported}, exported in its layout)" if exported else faces.name
    return {"name": name, "pictures": len(faces), "checksum": faces.checksum}


def open_chapter(name: str, namespace: Mapping[str, object]) -> Session:
    """Open the chapter ``name`` with the parameters that ``namespace`` (the notebook's ``globals()``)
    assigns.

    Validates every parameter, picks the device and seeds all generators. Under ``ferbook run`` the output
    goes into the run; in a notebook opened by hand it goes to ``runs/interactive/``, and chapters upstream
    are looked up in the run that changed last. Raises ParameterError.
    """
    chapter = find_chapter(name)
    parameters = _parameters_from(chapter, namespace)
    interactive = paths.runs_dir() / "interactive"
    if RUN_VARIABLE in os.environ:
        run = Path(os.environ[RUN_VARIABLE])
    else:
        run = latest_run().folder if all_runs() else interactive
    output = Path(os.environ.get(OUTPUT_VARIABLE) or interactive / name)
    if OUTPUT_VARIABLE not in os.environ:
        shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True, exist_ok=True)
    return Session(chapter, parameters, output, run)
