"""Stimuli for the audit of any detector of action units: who shows what, how it is photographed, and the
pictures.

Every person shows, in the same even light and from the front: a neutral face, each unit alone in five doses,
each unit that has sides on either side alone, and several units together, some as an emotion. Some units are
shown again with one change: the head is turned, the skin or the age differs, the light does. No two pictures
have the same noise or exactly the same crop, as with a real camera.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthetic_faces.capture import Capture, draw_shot
from synthetic_faces.errors import require_between
from synthetic_faces.expressions import EMOTIONS, typical_aus
from synthetic_faces.facs import AUS, SIDED, SIDES
from synthetic_faces.people import Looks, Stream, draw_person
from synthetic_faces.workers import Job, render_people

if TYPE_CHECKING:
    from synthetic_faces.people import Person
    from synthetic_faces.render import Renderer

# First of the people's numbers: they are in no set.
AUDITED = 350_000

# With fewer people results cannot be generalised.
FEWEST_PEOPLE = 6

DOSES = (0.2, 0.4, 0.6, 0.8, 1.0)

# Neutral pictures of each person, with which all others are compared.
REST_PICTURES = 5

# Units that are often shown together.
TOGETHER = ("AU1 AU2", "AU1 AU4", "AU1 AU2 AU5", "AU4 AU7", "AU6 AU12", "AU12 AU25", "AU9 AU17", "AU15 AU17")

# Units that are shown again in every one of ``CHANGES``.
CHANGED_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU9", "AU12", "AU15", "AU17", "AU25", "AU26")

# The changes: their kind, and the values of a shot (angles in radians), of a person or of looks.
CHANGES: Mapping[str, tuple[str, Mapping[str, float]]] = {
    "turned to the left": ("pose", {"yaw": 0.5}),
    "turned to the right": ("pose", {"yaw": -0.5}),
    "raised": ("pose", {"pitch": 0.3}),
    "lowered": ("pose", {"pitch": -0.3}),
    "dark skin": ("skin", {"skin": 0.16}),
    "light skin": ("skin", {"skin": 0.62}),
    "child": ("age", {"children": 1.0}),
    "old": ("age", {}),
    "light from the side": ("light", {"key_azimuth": 1.2, "fill": 0.05, "ambient": 0.08}),
    "dim light": ("light", {"exposure": -1.5}),
}

# The whole head, with noise of the sensor.
CAPTURE = Capture(pose=0, light=0, blur=(0, 0), noise=(0.006, 0.006), window=0.14, centre=0.3)

# Standard deviation of the crop's position, relative to half the side.
CUT_SPREAD = 0.01

GROWN, AGED = Looks(age=(0.67, 0.8)), Looks(age=(1.0, 1.0))


def stimuli_table(people: int, seed: int = 0) -> pd.DataFrame:
    """Specify the stimuli, one row per picture.

    Parameters
    ----------
    people : int
    seed : int
        Of the order of the pictures.

    Returns
    -------
    pandas.DataFrame
        ``file`` (a number without meaning), ``person`` (from 0), ``part`` (rest, dose, side, together,
        emotion or a kind of ``CHANGES``), ``condition``, ``unit`` (several are separated by a blank),
        ``dose``, ``side`` (both, left, right: the subject's), ``emotion``, and ``AU1_left`` … the intensities
        in [0, 1].

    Raises
    ------
    SettingError
        Fewer than ``FEWEST_PEOPLE`` or more than 1,000 people, or a seed outside [0, 2**31).
    """
    request = SimpleNamespace(people=people, seed=seed)
    require_between(request, people=(FEWEST_PEOPLE, 1000), seed=(0, 2**31 - 1))
    rows = []
    for person in range(people):
        rows += [{"person": person, "part": "rest"}] * REST_PICTURES
        rows += [{"person": person, "part": "dose", "unit": au, "dose": d} for au in AUS for d in DOSES]
        sided = [au for au, own in zip(AUS, SIDED, strict=True) if own]
        rows += [
            {"person": person, "part": "side", "unit": au, "dose": 1.0, "side": side.lower()}
            for au in sided
            for side in SIDES
        ]
        rows += [{"person": person, "part": "together", "unit": units, "dose": 1.0} for units in TOGETHER]
        rows += [{"person": person, "part": "emotion", "emotion": each, "dose": 1.0} for each in EMOTIONS[1:]]
        for condition, (kind, _) in CHANGES.items():
            own = {"person": person, "part": kind, "condition": condition}
            rows += [own, *({**own, "unit": au, "dose": 1.0} for au in CHANGED_UNITS)]
    table = pd.DataFrame(rows)
    table["dose"] = table["dose"].fillna(0.0)
    table["side"] = table["side"].fillna("both")
    table = table.fillna("")[["person", "part", "condition", "unit", "dose", "side", "emotion"]]
    intensities = np.stack([_intensities(row) for row in table.itertuples()])
    columns = [f"{au}_{side.lower()}" for au in AUS for side in SIDES]
    table[columns] = intensities.reshape(len(table), -1)
    order = np.random.default_rng((Stream.PAIR, seed, people)).permutation(len(table))
    table.insert(0, "file", [f"{place + 1:05d}.png" for place in np.argsort(order, kind="stable")])
    return table.iloc[order].reset_index(drop=True)


def _intensities(row: tuple) -> np.ndarray:
    """Return (len(AUS), 2): the left and the right half of the face in a row of the table."""
    levels = np.zeros((len(AUS), 2))
    if row.emotion:
        for au, level in typical_aus(row.emotion).items():
            levels[AUS.index(au)] = level
    halves = {"both": (1, 1), "left": (1, 0), "right": (0, 1)}[row.side]
    for au in row.unit.split():
        levels[AUS.index(au)] = np.multiply(row.dose, halves)
    return levels


def render_stimuli(
    table: pd.DataFrame,
    size: int,
    seed: int = 0,
    *,
    workers: int | None = None,
    cache: Path | None = None,
    advance: Callable[[int], object] = lambda number: None,
) -> np.ndarray:
    """Render the pictures of a ``stimuli_table``, in its order. The same arguments give the same pictures.

    Parameters
    ----------
    table : pandas.DataFrame
    size : int
        Side of a picture in pixels.
    seed : int
    workers, cache, advance
        As of ``workers.render_people``.

    Returns
    -------
    (N, ``size``, ``size``) uint8 array
    """
    jobs, order = [], []
    for person, own in table.groupby("person"):
        intensities = own[[f"{au}_{side.lower()}" for au in AUS for side in SIDES]].to_numpy()
        order.append(own.index.to_numpy())
        request = {"seed": seed, "person": person, "places": own.index.tolist()}
        request |= {"conditions": own["condition"].tolist(), "intensities": intensities.tolist()}
        jobs.append(Job(len(own), request))
    pixels = np.empty((len(table), size, size), np.uint8)
    task = f"{__name__}:render_audited"
    render_people(task, jobs, {"pixels": pixels}, size=size, workers=workers, cache=cache, advance=advance)
    return pixels[np.argsort(np.concatenate(order), kind="stable")]


def render_audited(
    renderer: "Renderer", seed: int, person: int, places: list[int], conditions: list[str], intensities: list
) -> Iterator[tuple[np.ndarray]]:
    """Yield the pictures of one person, in a worker: each with its condition and intensities."""
    people: dict[str, Person] = {}
    straight = draw_shot(np.random.default_rng((Stream.SHOT, seed, AUDITED + person)), CAPTURE)
    for place, condition, each in zip(places, conditions, intensities, strict=True):
        kind, values = CHANGES.get(condition, ("", {}))
        if condition not in people:
            looks = replace(GROWN, **values) if condition == "child" else AGED if kind == "age" else GROWN
            someone = draw_person(renderer.assets, seed, AUDITED + person, looks)
            if kind == "skin":
                brow = someone.brow * values["skin"] / someone.skin
                someone = replace(someone, skin=values["skin"], brow=brow)
            people[condition] = someone
        random = np.random.default_rng((Stream.TAKE, seed, AUDITED + person, place))
        offset = tuple((CUT_SPREAD * random.standard_normal(2)).tolist())
        shot = replace(straight, seed=int(random.integers(2**31)), offset=offset)
        shot = replace(shot, **values) if kind in ("pose", "light") else shot
        intensities = np.array(each).reshape(len(AUS), 2)
        yield (renderer.render(people[condition], intensities, shot, CAPTURE).pixels,)
