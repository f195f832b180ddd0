"""The synthetic face sets: people, their expressions, the rows that say so, and the pictures of them."""

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
    """What a synthetic set is made of: the ``domain`` by its name, the number of its people (``subjects``),
    the ``size`` of its pictures in pixels, and the ``seed``; further fields are options, texts with a
    default. ``timing`` of sequences: ``by_unit``, as people move, all units ``together``, or the same three
    events ``in_turn``, whose order is the class; without one as the domain has it. ``family`` of the people,
    one of ``domains.FAMILIES``; without one everybody's. ``sample``: ``one`` sequence of each person, to be
    looked at; without it all. ``units``: ``free``, each by itself, whatever the emotion (``Spread.free``);
    without it as people show the emotion.

    The same recipe gives the same set, as long as the domain's version is. Person k of a seed, and what
    this person does when showing an emotion for the n-th time, is the same in sets of any number of people;
    who shows which emotions is not. Raises SettingError for a value out of range.
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
        """The recipe with the domain's own number of people and size where 0 is given.

        Raises SettingError for an option that there is not, or a value out of range.
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
        """What names the set: its domain with the version, people, size, seed, and the options that are not
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
        """The sequences of the set, in its order."""
        every = plan(domain_named(self.domain), self.subjects, self.seed)
        if not self.sample:
            return every
        # Of the first person the first, of the last the last, so that most labels are seen.
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
    """``pixels`` uint8 (N, S, S), ``masks`` uint32 (N, S, S) and ``landmarks`` float32 (N, 68, 2) of the N
    pictures of ``recipe``, in the order of ``picture_rows``; see ``render.Rendered``.

    Of each clip those frames that ``choose`` takes (None: all). ``workers``, ``cache``, ``head`` and
    ``advance`` as in ``workers.render_people``. Raises RenderError where a worker dies, AssetError where anny
    or the head is missing, SettingError where a head has to be given.
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
    """Empty arrays for ``number`` pictures, each a ``render.Rendered``."""
    return {
        "pixels": np.empty((number, size, size), np.uint8),
        "masks": np.empty((number, size, size), np.uint32),
        "landmarks": np.empty((number, len(LANDMARK_VERTICES), 2), np.float32),
    }


def picture_rows(recipe: Recipe, choose: Choice | None = None) -> "pd.DataFrame":
    """One row per picture of ``produce``, without a picture being made.

    ``dataset``, ``subject``, ``sequence``, ``frame``, ``emotion``; where labels may be wrong
    ``true_emotion``, what was shown; where a crowd gave them ``vote_<emotion>``; of sequences ``onset``,
    ``apex``, ``offset`` (frame numbers) and ``fps``; the intensity in [0, 1] of each AU, ``AU<n>``, and of
    its two halves, ``AU<n>_left`` and ``AU<n>_right``.
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
    """The pictures of one person's ``sequences``: label, repeat and the frames that are taken."""
    own = with_options(domain_named(domain), **options)
    someone = draw_person(renderer.assets, seed, person_number(own, person), own.looks)
    for label, repeat, frames in sequences:
        sequence = Sequence(person, label, repeat)
        course = draw_course(own, seed, sequence, lambda every, apex, frames=frames: frames)
        shots = draw_shots(own, seed, sequence, course)
        for intensities, shot in zip(perform(own, seed, sequence, course).intensities, shots, strict=True):
            yield renderer.render(someone, intensities, shot, own.capture)
