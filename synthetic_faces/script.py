"""Faces by specification: which person, which take, and exactly which action units.

The people of a set do what ``sequences.perform`` draws for them; here the caller specifies it, picture by
picture. Pictures of one person with the same number of ``takes`` have the same head pose, gaze, light,
background and noise, so they differ only in their action units.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from synthetic_faces.capture import Shot, draw_shot
from synthetic_faces.domains import domain_named, require_head
from synthetic_faces.errors import SettingError
from synthetic_faces.facs import AUS
from synthetic_faces.people import Stream, draw_person
from synthetic_faces.produce import empty_arrays
from synthetic_faces.sequences import person_number
from synthetic_faces.workers import Job, render_people

if TYPE_CHECKING:
    import pandas as pd

    from synthetic_faces.render import Rendered, Renderer


@dataclass(frozen=True)
class Script:
    """The pictures to render.

    Parameters
    ----------
    people : (N,) int array
    takes : (N,) int array
        From 0.
    intensities : (N, ``len(AUS)``, 2) array
        In [0, 1]; the last axis is the subject's left and right half of the face.

    Raises
    ------
    SettingError
        Shapes or values do not fit.
    """

    people: np.ndarray
    takes: np.ndarray
    intensities: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.people)
        if not n or len(self.takes) != n or self.intensities.shape != (n, len(AUS), 2):
            raise SettingError(
                f"{n} people, {len(self.takes)} takes and intensities of shape {self.intensities.shape}: "
                f"give, for each of at least one picture, a person, a take and ({len(AUS)}, 2) intensities"
            )
        for name in ("people", "takes"):
            numbers = getattr(self, name)
            if numbers.dtype.kind not in "iu" or numbers.min() < 0:
                raise SettingError(f"{name} must be whole numbers from 0")
        if not (self.intensities.min() >= 0 and self.intensities.max() <= 1):
            raise SettingError("intensities must lie between 0 and 1")

    @property
    def digest(self) -> str:
        """SHA-256 of the content."""
        digest = hashlib.sha256()
        for array, dtype in ((self.people, "<i8"), (self.takes, "<i8"), (self.intensities, "<f8")):
            digest.update(np.ascontiguousarray(array, dtype).tobytes())
        return digest.hexdigest()


def render_script(
    script: Script,
    domain: str,
    size: int,
    seed: int = 0,
    *,
    workers: int | None = None,
    cache: Path | None = None,
    head: Path | None = None,
    advance: Callable[[int], object] = lambda number: None,
) -> dict[str, np.ndarray]:
    """Render the pictures of ``script``, in its order, of people of ``domain`` and with its camera.

    Person k of ``seed`` is that of the domain's sets. What the camera computes from a whole picture (levels,
    contrast) is left out: it would carry a movement of the mouth to the forehead.

    Parameters
    ----------
    script : Script
    domain : str
    size : int
        Side of a picture in pixels.
    seed : int
    workers, cache, head, advance
        As of ``workers.render_people``.

    Returns
    -------
    dict
        ``pixels``, ``masks`` and ``landmarks`` as of ``produce.produce``.
    """
    require_head(domain_named(domain), head)
    jobs, order = [], []
    for person in np.unique(script.people).tolist():
        rows = np.flatnonzero(script.people == person)
        order.append(rows)
        request = {"domain": domain, "seed": seed, "person": person, "takes": script.takes[rows].tolist()}
        jobs.append(Job(len(rows), request | {"intensities": script.intensities[rows].tolist()}))
    arrays = empty_arrays(len(script.people), size)
    task = f"{__name__}:render_takes"
    render_people(task, jobs, arrays, size=size, workers=workers, cache=cache, head=head, advance=advance)
    place = np.argsort(np.concatenate(order), kind="stable")
    return {name: array[place] for name, array in arrays.items()}


def render_takes(
    renderer: "Renderer", domain: str, seed: int, person: int, takes: list[int], intensities: list
) -> "Iterator[Rendered]":
    """Yield the pictures of one person, one for each of ``takes`` with its ``intensities``."""
    own = domain_named(domain)
    someone = draw_person(renderer.assets, seed, person_number(own, person), own.looks)
    for number, levels in zip(takes, intensities, strict=True):
        yield renderer.render(someone, np.array(levels), take(domain, seed, person, number), own.capture)


def script_rows(script: Script, domain: str) -> "pd.DataFrame":
    """Return the table of ``script``, one row per picture: ``dataset``, ``subject``, ``sequence``
    (``<subject>-<take>``), ``frame`` counted within it, and the intensity of each AU.
    """
    import pandas as pd  # as in ``produce``

    name = domain_named(domain).name
    subjects = [f"{name}-S{person + 1:03d}" for person in script.people.tolist()]
    sequences = [f"{who}-{take + 1}" for who, take in zip(subjects, script.takes.tolist(), strict=True)]
    table = pd.DataFrame({"dataset": name, "subject": subjects, "sequence": sequences})
    table["frame"] = table.groupby("sequence").cumcount()
    return table.assign(**dict(zip(AUS, script.intensities.max(axis=2).T, strict=True)))


def take(domain: str, seed: int, person: int, number: int) -> Shot:
    """Draw head pose, gaze, light, background and noise of a take, as the domain does for its pictures.

    Parameters
    ----------
    domain : str
    seed : int
    person : int
    number : int
        Of the take.

    Returns
    -------
    Shot
    """
    own = domain_named(domain)
    rng = np.random.default_rng((Stream.TAKE, seed, person_number(own, person), number))
    return replace(draw_shot(rng, own.capture), levels=0.0, contrast=1.0)
