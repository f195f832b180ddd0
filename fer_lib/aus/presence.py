"""Presence: which picture shows which action unit, and its subject."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from face_sets.faceset import FaceSet, named_alone
from ferbook.errors import DataError, ParameterError
from synthetic_faces.versions import VERSIONS

# An AU is tested only if at least so many subjects show it, and as many are seen without it.
FEWEST_SUBJECTS = 8


@dataclass(frozen=True)
class Presence:
    """Presence of A action units in N pictures.

    Attributes
    ----------
    aus : tuple of str
        Names in numeric order.
    present : (N, A) float32 array
        1 shown, 0 not shown, NaN not coded.
    subjects, sequences, emotions : (N,) arrays of str
        A picture without a subject or sequence label is a separate subject or sequence; the emotion of an
        unlabelled picture is empty.

    Raises
    ------
    DataError
        ``present`` has another value than 1, 0 and NaN.
    """

    aus: tuple[str, ...]
    present: np.ndarray
    subjects: np.ndarray
    sequences: np.ndarray
    emotions: np.ndarray

    def __post_init__(self) -> None:
        present = np.asarray(self.present, np.float32)
        wrong = np.argwhere(~((present == 0) | (present == 1) | np.isnan(present)))
        if len(wrong):
            row, column = wrong[0]
            raise DataError(
                f"picture {row}, action unit {column}: presence is {present[row, column]}; expected 1 "
                "(shown), 0 (not shown) or NaN (not coded)"
            )
        object.__setattr__(self, "present", present)
        for name in ("subjects", "sequences", "emotions"):
            object.__setattr__(self, name, np.asarray(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.present)

    def subjects_with(self, code: int) -> np.ndarray:
        """Count the subjects with at least one picture that shows the AU (``code`` 1), or that is coded and
        does not (0): int64 (A,).
        """
        return np.array([len(np.unique(self.subjects[column == code])) for column in self.present.T])

    @property
    def fewest_subjects(self) -> np.ndarray:
        """int64 (A,): the smaller of both counts, the sample of any comparison of the two."""
        return np.minimum(self.subjects_with(1), self.subjects_with(0))

    def too_few(self, min_subjects: int = FEWEST_SUBJECTS) -> tuple[str, ...]:
        """Return the AUs that fewer than ``min_subjects`` subjects show, or that fewer are seen without."""
        fewest = zip(self.aus, self.fewest_subjects, strict=True)
        return tuple(au for au, subjects in fewest if subjects < min_subjects)

    def scored(self, min_subjects: int = FEWEST_SUBJECTS) -> "Presence":
        """Select the AUs that are not ``too_few``. Raises DataError if none is left, naming the one with most
        subjects.
        """
        few = self.too_few(min_subjects)
        if len(few) == len(self.aus):
            best = int(self.fewest_subjects.argmax())
            raise DataError(
                f"no AU has {min_subjects} subjects who show it and {min_subjects} seen without it; "
                f"{self.aus[best]} comes nearest with {self.subjects_with(1)[best]} and "
                f"{self.subjects_with(0)[best]} of {len(np.unique(self.subjects))} subjects: use a larger "
                "face set"
            )
        return self.only([au for au in self.aus if au not in few])

    def only(self, aus: Sequence[str]) -> "Presence":
        """Select the named AUs, in that order. Raises ParameterError for an unknown one."""
        unknown = [au for au in aus if au not in self.aus]
        if unknown:
            raise ParameterError(f"no action unit {unknown[0]!r}; there are {', '.join(self.aus)}")
        columns = [self.aus.index(au) for au in aus]
        return replace(self, aus=tuple(aus), present=self.present[:, columns])

    def select(self, keep: np.ndarray) -> "Presence":
        """Select pictures by a mask (N,) or by indices, in their order."""
        names = ("present", "subjects", "sequences", "emotions")
        return replace(self, **{name: getattr(self, name)[keep] for name in names})


def require_finite(values: np.ndarray, what: str = "filter", which: str = "the maximal response") -> None:
    """Raise DataError, naming picture and column (a ``what``), if ``values`` (N, K) are not finite."""
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise DataError(
            f"picture {row}, {what} {column}: {which} is {values[row, column]}; expected a finite number: "
            "look for pictures or weights that are not"
        )


def presence(faces: FaceSet, present_from: float = 0.0) -> Presence:
    """Determine which pictures of ``faces`` show which action unit.

    Pictures for which an AU was not coded are NaN. AUs that few subjects show are included; see
    ``Presence.too_few``.

    Parameters
    ----------
    faces : FaceSet
    present_from : float
        A unit is present above this intensity, in [0, 1). 0 counts every trace that was coded; a higher
        threshold selects clear expressions, and lower intensities count as absent.

    Returns
    -------
    Presence

    Raises
    ------
    DataError
        ``faces`` has no column ``AU<n>``.
    """
    if not faces.aus:
        raise DataError(
            f"face set {faces.name!r} has no action units (columns AU1, AU2 …); the synthetic faces (lab, "
            "wild, game, micro) have them, and among others CK+, CASME II and SAMM come with FACS codes"
        )
    table = faces.table
    intensities = table[list(faces.aus)].to_numpy(np.float64, na_value=np.nan)
    present = np.where(np.isnan(intensities), np.nan, intensities > present_from)
    return Presence(
        faces.aus,
        present,
        named_alone(table["subject"]),
        named_alone(table["sequence"]),
        table["emotion"].to_numpy(dtype=object).astype(str),
    )


def unit_source(run_faces: FaceSet, faces: FaceSet) -> str:
    """State in a sentence whose pictures and action units the chapter evaluates; ``run_faces`` is the run's
    set.
    """
    if not faces.aus:
        return f"{run_faces.name} has no codes of action units, so none are evaluated."
    if faces is run_faces:
        return f"Pictures and action units are those of {faces.name}."
    rendered = "rendered faces" if faces.table["dataset"].isin(VERSIONS).all() else "faces"
    return (
        f"{run_faces.name} has no codes of action units. The network trained on it is evaluated on the "
        f"{rendered} of {faces.name}, whose units are known: what follows is about its filters, and not "
        "about pictures like those that it was trained on."
    )
