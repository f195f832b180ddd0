"""BP4D-Spontaneous (Zhang et al., 2014): 41 people, eight tasks, FACS codes frame by frame.

Expected: pictures ``F001/T1/0000.jpg`` in ``Sequences(2D+3D)/`` (also ``Sequences_2D+3D``, ``2D+3D``, or
``BP4D-training`` of FERA 2015), and the codes ``AUCoding/AU_OCC/F001_T1.csv`` and
``AUCoding/AU_INT/AU06/F001_T1_AU06.csv``. The header of an occurrence file names the AUs after its first
column, the frame; the older edition has a column for every number from 0 to 99. Frame numbers have three or
four digits, by person, and are read as numbers.

Not certain: whether frame n of the codes is picture n (assumed) or n - 1 (the user then writes -1 into
``frame_shift.txt`` beside the folders), for both are found in published code; and the place of the
intensities, which is that of BP4D+. There is no official split; FERA 2015 trained on people with odd numbers.
What is kept, and what codes become, says ``fer_lib.faces.readers.spontaneous``.
"""

import re
from collections import Counter
from functools import partial
from pathlib import Path

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.sequences import find_folders, named_folders, tops
from fer_lib.faces.readers.spontaneous import PERSON, folder_tasks, read_spontaneous

PUBLISHED = {"subjects": 41, "sequences": 328}
"""41 people (F001 to F023, M001 to M018) and eight tasks each are certain."""

NO_EMOTIONS = True
"""The layout has the codes of action units alone."""

_TREE = re.compile(r"Sequences.*|2D\+3D|BP4D-training", re.IGNORECASE)


def read_bp4d(folder: Path, size: int) -> FaceSet:
    """BP4D from ``folder``: at most 100 coded frames of each person and task, without emotions.

    Subjects are ``bp4d-F001`` …, sequences ``F001/T1``; ``frame`` is the number in the codes. Faces are found
    by a detector; pictures without one are counted. Raises DataError: see ``read_spontaneous``; and where
    there is no folder of pictures, or there are two.
    """
    left_out: Counter[str] = Counter()
    trees = find_folders(folder, _TREE, "folder Sequences(2D+3D)")
    places = [top for tree in trees for top in tops(tree, PERSON, "folders of people (F001)")]
    people = named_folders(places, folder, PERSON, left_out)
    tasks = {person: partial(folder_tasks, place, folder) for person, place in people.items()}
    return read_spontaneous("bp4d", folder, tasks, size, None, left_out)
