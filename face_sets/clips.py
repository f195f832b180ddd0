"""Clips: the pictures of a face set in temporal order, one row per sequence from onset over apex to
offset.
"""

from dataclasses import dataclass, replace

import numpy as np

from face_sets.faceset import FaceSet, chosen_rows
from face_sets.sources import CLIP_SETS
from ferbook.errors import DataError

_ADVICE = f"The sets with clips from onset to offset are {', '.join(CLIP_SETS)}"
_SPAN = ("onset", "apex", "offset")
_NOWHERE = -1


@dataclass(frozen=True, eq=False)
class Clips:
    """C clips of at most T pictures of ``faces``, sorted by subject and sequence.

    Attributes
    ----------
    rows, frames
        int64 (C, T): row in ``faces`` and frame number of each picture in temporal order; -1 beyond a clip's
        end.
    lengths
        int64 (C,): pictures of each clip, at least 2.
    subjects, sequences, emotions
        (C,) text; the emotion is empty where a clip has none.
    onset, apex, offset
        int64 (C,): frame numbers.
    apex_at
        int64 (C,): column in ``rows`` of the apex.
    fps
        float64 (C,): frames per second.
    """

    faces: FaceSet
    rows: np.ndarray
    lengths: np.ndarray
    frames: np.ndarray
    subjects: np.ndarray
    sequences: np.ndarray
    emotions: np.ndarray
    onset: np.ndarray
    apex: np.ndarray
    offset: np.ndarray
    apex_at: np.ndarray
    fps: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inside(self) -> np.ndarray:
        """bool (C, T): whether there is a picture."""
        return self.rows != _NOWHERE

    def labels(self, classes: tuple[str, ...]) -> np.ndarray:
        """Return the index of each clip's emotion in ``classes``, int64 (C,).

        Raises DataError as ``FaceSet.labels``.
        """
        return self.faces.select(self.rows[:, 0]).labels(classes)

    def select(self, keep: np.ndarray) -> "Clips":
        """Select clips by a boolean mask (C,) or by indices; T remains, so that features (C, T, F) still fit.

        Raises DataError as ``chosen_rows``.
        """
        keep = chosen_rows(keep, len(self), f"clips of {self.faces.name!r}")
        return replace(self, **{name: getattr(self, name)[keep] for name in _PER_CLIP})

    def gather(self) -> np.ndarray:
        """Load the pictures, uint8 (C, T, H, W), zero beyond a clip's end."""
        pixels = np.zeros((*self.rows.shape, *self.faces.size), np.uint8)
        pixels[self.inside] = self.faces.gather(self.rows[self.inside])
        return pixels


_PER_CLIP = tuple(name for name in Clips.__dataclass_fields__ if name != "faces")


def clips_of(faces: FaceSet) -> Clips:
    """Group the pictures of ``faces`` into clips, one per subject and sequence.

    Raises
    ------
    DataError
        Names the clip: a set without clips (no columns ``onset``, ``apex``, ``offset``, ``fps``), a picture
        without subject or sequence, one picture only, two pictures of one frame, onset, apex, offset, fps or
        emotion that differ within a clip or are out of order, a picture outside onset and offset, or none at
        the apex.
    """
    table = faces.table
    missing = [column for column in (*_SPAN, "fps") if column not in table.columns]
    if missing or not len(table):
        what = f"no column {', '.join(missing)}" if missing else "no picture"
        raise DataError(f"face set {faces.name!r} has no clips: {what}. {_ADVICE}")
    ordered = table.sort_values(["subject", "sequence", "frame"], kind="stable")
    groups = ordered.groupby(["subject", "sequence"])
    about, frame = groups[[*_SPAN, "fps", "emotion"]], groups["frame"]
    clips, whose = about.first(), groups.ngroup().to_numpy()
    onset, apex, offset, fps = clips[[*_SPAN, "fps"]].to_numpy(float, na_value=np.nan).T
    at_apex = ordered["frame"].to_numpy() == apex[whose]
    good = {
        "one onset, apex, offset, fps and emotion for all pictures": about.nunique(dropna=False)
        .eq(1)
        .all(axis=1),
        "a subject and a sequence": np.array([all(name) for name in clips.index]),
        "frame numbers of onset, apex and offset, in this order": (onset <= apex) & (apex <= offset),
        "two pictures or more, all of different frames": (frame.nunique() == frame.size())
        & (frame.size() > 1),
        "all pictures between its onset and its offset": (onset <= frame.min()) & (frame.max() <= offset),
        "a picture of its apex": np.bincount(whose, at_apex) > 0,
        "whole frame numbers": (clips[[*_SPAN]] % 1 == 0).all(axis=1).to_numpy(bool),
        "a number of frames per second above 0": (fps > 0) & np.isfinite(fps),
    }
    for rule, fits in good.items():
        if not np.all(fits):
            subject, sequence = clips.index[int(np.argmin(fits))]
            raise DataError(
                f"face set {faces.name!r}, clip {sequence} of {subject}: expected {rule}. {_ADVICE}"
            )
    rows, frames = np.full((2, len(clips), frame.size().max()), _NOWHERE, np.int64)
    place = groups.cumcount()
    rows[whose, place], frames[whose, place] = ordered.index, ordered["frame"]
    subjects, sequences = (np.array(names, str) for names in zip(*clips.index, strict=True))
    return Clips(
        faces=faces,
        rows=rows,
        lengths=(rows != _NOWHERE).sum(axis=1),
        frames=frames,
        subjects=subjects,
        sequences=sequences,
        emotions=clips["emotion"].to_numpy(str),
        onset=onset.astype(np.int64),
        apex=apex.astype(np.int64),
        offset=offset.astype(np.int64),
        apex_at=(frames == apex[:, None]).argmax(axis=1),
        fps=fps,
    )
