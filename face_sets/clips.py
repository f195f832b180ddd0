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
    """C clips of at most T pictures of the face set ``faces``, sorted by subject and sequence.

    ``rows`` int64 (C, T): indices into ``faces`` in temporal order, and ``frames`` int64 (C, T): their frame
    numbers, strictly ascending; both -1 beyond the clip's end. ``lengths`` int64 (C,): pictures of each clip,
    at least 2. ``subjects``, ``sequences`` and ``emotions`` (C,): text, the emotion empty where a clip has
    none. ``onset``, ``apex``, ``offset`` int64 (C,): frame numbers. ``apex_at`` int64 (C,): place in ``rows``
    of the picture nearest to the apex, which ``clips_of`` finds at the apex itself. ``fps`` float64 (C,):
    frames per second.
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
        """bool (C, T): where there is a picture."""
        return self.rows != _NOWHERE

    def labels(self, classes: tuple[str, ...]) -> np.ndarray:
        """int64 (C,): the index of each clip's emotion in ``classes``. Raises DataError as
        ``FaceSet.labels``, where it is not among them.
        """
        return self.faces.select(self.rows[:, 0]).labels(classes)

    def select(self, keep: np.ndarray) -> "Clips":
        """The clips where the boolean mask ``keep`` (C,) is true, or at the indices ``keep`` (0 … C-1), in
        their order.

        T stays as it is, so that features (C, T, F) selected alike still fit. Raises DataError as
        ``chosen_rows``.
        """
        keep = chosen_rows(keep, len(self), f"clips of {self.faces.name!r}")
        return replace(self, **{name: getattr(self, name)[keep] for name in _PER_CLIP})

    def gather(self) -> np.ndarray:
        """uint8 (C, T, H, W): the pictures, zero beyond a clip's end."""
        pixels = np.zeros((*self.rows.shape, *self.faces.size), np.uint8)
        pixels[self.inside] = self.faces.gather(self.rows[self.inside])
        return pixels


_PER_CLIP = tuple(name for name in Clips.__dataclass_fields__ if name != "faces")


def clips_of(faces: FaceSet) -> Clips:
    """The clips of ``faces``: one per subject and sequence, in this order, whatever the order of the
    pictures.

    Clips of one picture are left out by the readers, which count them in ``faces.left_out``. Raises
    DataError, naming the clip: for a set without clips (no columns ``onset``, ``apex``, ``offset`` and
    ``fps``, or emotions that change within a sequence), a picture without subject or sequence, a clip of one
    picture, two pictures of one frame, an onset, apex, offset or rate that is missing, not one number per
    clip or out of order, a picture outside onset and offset, and an apex without a picture.
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
