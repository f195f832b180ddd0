"""Clips: the pictures of a face set in temporal order, one row per sequence from onset over apex to
offset.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.sources import SOURCES
from ferbook.errors import DataError

CLIP_SETS = tuple(source.name for source in SOURCES if source.clips)
"""Names of the face sets that have clips."""

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
        """int64 (C,): the index of each clip's emotion in ``classes``. Raises DataError, naming the clip,
        where it is not among them.
        """
        codes = pd.Index(classes).get_indexer(self.emotions).astype(np.int64)
        if (codes < 0).any():
            wrong = int(np.flatnonzero(codes < 0)[0])
            raise DataError(
                f"{self._named(wrong)}: its emotion {str(self.emotions[wrong])!r} is not among the classes "
                f"{', '.join(classes)}; select the clips of these classes first"
            )
        return codes

    def select(self, keep: np.ndarray) -> "Clips":
        """The clips where the boolean mask ``keep`` (C,) is true, or at the indices ``keep`` (0 … C-1), in
        their order.

        T stays as it is, so that features (C, T, F) selected alike still fit. Raises DataError for a mask of
        another length, an index out of range, or any other kind of array.
        """
        keep = np.asarray(keep)
        if keep.size == 0 and keep.dtype != bool:
            keep = keep.astype(np.int64)  # np.asarray([]) is float64
        if keep.ndim != 1 or keep.dtype.kind not in "biu":
            raise DataError(
                f"clips are selected by a mask or by indices (one dimension), not {keep.dtype} of shape "
                f"{keep.shape}"
            )
        if keep.dtype == bool:
            if len(keep) != len(self):
                raise DataError(f"a mask of {len(keep)} values for {len(self)} clips")
            keep = np.flatnonzero(keep)
        if len(keep) and not (keep.min() >= 0 and keep.max() < len(self)):
            raise DataError(
                f"indices from {keep.min()} to {keep.max()} for {len(self)} clips, numbered from 0 to "
                f"{len(self) - 1}"
            )
        return replace(self, **{name: getattr(self, name)[keep] for name in _PER_CLIP})

    def gather(self) -> np.ndarray:
        """uint8 (C, T, H, W): the pictures, zero beyond a clip's end."""
        pixels = np.zeros((*self.rows.shape, *self.faces.size), np.uint8)
        pixels[self.inside] = self.faces.gather(self.rows[self.inside])
        return pixels

    def _named(self, clip: int) -> str:
        return f"face set {self.faces.name!r}, clip {self.sequences[clip]} of {self.subjects[clip]}"


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
        raise DataError(f"face set {faces.name!r} has no clips: {what}. {_advice()}")
    for column in ("subject", "sequence"):
        unnamed = np.flatnonzero((table[column] == "").to_numpy())
        if len(unnamed):
            raise DataError(
                f"face set {faces.name!r}, row {unnamed[0]}: no {column}, so it belongs to no clip. "
                f"{_advice()}"
            )
    ordered = table.sort_values(["subject", "sequence", "frame"], kind="stable")
    groups = list(ordered.groupby(["subject", "sequence"], sort=True))
    longest = max(len(clip) for _, clip in groups)
    rows, frames = np.full((2, len(groups), longest), _NOWHERE, np.int64)
    spans = np.zeros((len(groups), 3), np.int64)
    fps, emotions = np.zeros(len(groups)), []
    for number, ((subject, sequence), clip) in enumerate(groups):
        where = f"face set {faces.name!r}, clip {sequence} of {subject}"
        rows[number, : len(clip)] = clip.index
        frames[number, : len(clip)] = clip["frame"]
        emotions.append(_emotion(clip, where))
        spans[number] = _span(clip, where)
        fps[number] = _one_number(clip, "fps", where)
        if not fps[number] > 0:
            raise DataError(
                f"{where}: fps is {fps[number]:g}; expected a number of frames per second above 0"
            )
    onset, apex, offset = spans.T.copy()
    return Clips(
        faces=faces,
        rows=rows,
        lengths=(rows != _NOWHERE).sum(axis=1),
        frames=frames,
        subjects=np.array([subject for (subject, _), _ in groups]),
        sequences=np.array([sequence for (_, sequence), _ in groups]),
        emotions=np.array(emotions),
        onset=onset,
        apex=apex,
        offset=offset,
        apex_at=(frames == apex[:, None]).argmax(axis=1),
        fps=fps,
    )


def _advice() -> str:
    return f"The sets with clips from onset to offset are {', '.join(CLIP_SETS)}"


def _emotion(clip: pd.DataFrame, where: str) -> str:
    shown = clip["emotion"].unique()
    if len(shown) > 1:
        raise DataError(
            f"{where}: its pictures are labelled {', '.join(map(repr, shown))}; a clip has one emotion. "
            f"{_advice()}"
        )
    return str(shown[0])


def _one_number(clip: pd.DataFrame, column: str, where: str) -> float:
    values = pd.to_numeric(clip[column], errors="coerce").to_numpy(float)
    if not np.isfinite(values).all():
        raise DataError(
            f"{where}: {column} is missing or no number; a coder of clips gives one to each. {_advice()}"
        )
    if len(np.unique(values)) > 1:
        raise DataError(
            f"{where}: {column} is {values.min():g} in one picture and {values.max():g} in another; "
            "expected one value per clip"
        )
    return float(values[0])


def _span(clip: pd.DataFrame, where: str) -> tuple[int, int, int]:
    """Onset, apex and offset of one clip, sorted by frame."""
    onset, apex, offset = span = [_one_number(clip, column, where) for column in _SPAN]
    if not all(at.is_integer() for at in span) or not onset <= apex <= offset:
        raise DataError(
            f"{where}: onset {onset:g}, apex {apex:g}, offset {offset:g}; expected frame numbers in this "
            "order"
        )
    frames = clip["frame"]
    if len(frames) < 2:
        raise DataError(
            f"{where}: one picture only, frame {frames.iloc[0]}; a clip has two or more, so leave it out"
        )
    if frames.duplicated().any():
        raise DataError(
            f"{where}: two pictures of frame {frames[frames.duplicated()].iloc[0]}; keep one of them"
        )
    if frames.iloc[0] < onset or frames.iloc[-1] > offset:
        outside = frames.iloc[0] if frames.iloc[0] < onset else frames.iloc[-1]
        raise DataError(f"{where}: frame {outside} lies outside onset {onset:g} to offset {offset:g}")
    if apex not in frames.to_numpy():
        raise DataError(f"{where}: no picture of its apex, frame {apex:g}; keep the picture of every apex")
    return int(onset), int(apex), int(offset)
