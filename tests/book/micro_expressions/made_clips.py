"""Clips that a test makes up."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from face_sets.clips import Clips, clips_of
from face_sets.faceset import FaceSet


def made_clips(
    volumes: Sequence[np.ndarray | int], frames: Sequence[Sequence[int]] = (), **columns: object
) -> Clips:
    """Clips of ``volumes``, uint8 (T, H, W) or so many black frames, each of somebody else, from the first of
    its ``frames`` (numbered from 0) to the last. ``columns`` of the table: a value, or one for each clip.
    """
    volumes = [np.zeros((each, 8, 8), np.uint8) if isinstance(each, int) else each for each in volumes]
    frames = frames or [range(len(volume)) for volume in volumes]
    known = {"subject": [f"s{clip:02}" for clip in range(len(volumes))], "sequence": "1", "emotion": "other"}
    ends = {"onset": [own[0] for own in frames], "offset": [own[-1] for own in frames]}
    table = pd.DataFrame(known | {"apex": 1, "fps": 200.0} | ends | columns, index=range(len(volumes)))
    rows = table.loc[np.repeat(table.index, list(map(len, frames)))].reset_index(drop=True)
    rows = rows.assign(frame=np.concatenate(frames), dataset="micro", split="train")
    return clips_of(FaceSet("micro", np.concatenate(volumes), rows))
