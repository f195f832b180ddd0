"""Arrays that take long to compute, stored below the cache folder: an interrupted chapter goes on where it
was, and executing it again takes minutes.
"""

import hashlib
import inspect
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType

import numpy as np
import torch

from face_sets.paths import cache_dir
from ferbook.environment import STORED_VARIABLE
from ferbook.files import write_atomically

Arrays = dict[str, np.ndarray]


def checkpoint(
    kind: str, inputs: Mapping[str, object], code: Sequence[ModuleType], make: Callable[[], Arrays]
) -> Arrays:
    """Return the arrays that ``make`` computes, from the cache folder if they are stored there.

    Parameters
    ----------
    kind : str
        Name of the folder below ``cache_dir() / "checkpoints"``.
    inputs : mapping
        All that the arrays depend on: arrays, and values that JSON can hold.
    code : sequence of modules
        Modules that compute; arrays computed by other source code, or by another torch, do not count.
    make : callable
        Computes the arrays by name.

    Returns
    -------
    dict of str to array
        As ``make`` returns them. A damaged file is computed anew; under ``ferbook check`` all are, since a
        check compares what this checkout computes.
    """
    if STORED_VARIABLE in os.environ:
        return make()
    file = cache_dir() / "checkpoints" / kind / f"{_key(inputs, code)}.npz"
    try:
        with np.load(file) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        pass
    arrays, content = make(), io.BytesIO()
    np.savez(content, **arrays)
    write_atomically(file, content.getvalue())
    return arrays


def _key(inputs: Mapping[str, object], code: Sequence[ModuleType]) -> str:
    digest = hashlib.sha256(torch.__version__.encode())
    for module in code:
        digest.update(inspect.getsource(module).encode())
    for name, value in sorted(inputs.items()):
        array = isinstance(value, np.ndarray)
        about = [str(value.dtype), value.shape] if array else value
        digest.update(json.dumps([name, about], sort_keys=True).encode())
        if array:
            digest.update(np.ascontiguousarray(value).data)
    return digest.hexdigest()
