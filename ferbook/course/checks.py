"""Run checks in a student's kernel, where Python, its modules and what locked cells define are as they were.

The kernel has none of this package: it is sent this file as text, before any cell.
"""

import builtins
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from types import ModuleType

from IPython import get_ipython


class Checks:
    """What a check uses besides the student's work: as it was before the student's cells changed it."""

    def __init__(self, used: list[str]) -> None:
        """Remember the folder's files and what modules hold, those that checks have ``used`` among them."""
        for name in used:
            with suppress(ImportError):
                module = import_module(name)
                all(hasattr(module, part) for part in dir(module))  # NumPy imports some where they are used
        # Where figures are drawn does not count, and some backends are not installed.
        get_ipython().enable_matplotlib = lambda gui=None: (gui, "agg")
        self.modules = {name: each for name, each in sys.modules.items() if isinstance(each, ModuleType)}
        self.parts = {
            each: {k: v for k, v in vars(each).items() if _fixed(v)} for each in self.modules.values()
        }
        self.folder, self.path = os.getcwd(), [*sys.path]
        self.files = {file: file.read_bytes() for file in Path().absolute().iterdir() if file.is_file()}
        self.locked, self.scope = {}, {}

    def run(self, source: str, tasks: Collection[str], locked: Collection[str] = ()) -> None:
        """Run a check, or a cell that defines ``locked`` names: with the student's names, those of Python and
        of locked cells excepted unless they are the names of ``tasks``. Cells below can use what it defines,
        and below a locked cell what others of these have defined is as it was.
        """
        self._restore()
        names = get_ipython().user_ns
        hidden = {name for name in (*dir(builtins), *self.locked) if name[0] != "_"} - {*tasks}
        self.scope.clear()
        self.scope |= {name: value for name, value in names.items() if name not in hidden}
        self.scope |= {name: _copy(self.locked[name]) for name in hidden & self.locked.keys()}
        before = dict(self.scope)
        try:
            exec(get_ipython().transform_cell(source), self.scope)
        finally:
            known = {*self.locked, *locked}
            changed = {name for name, value in self.scope.items() if before.get(name, names) is not value}
            made = changed | known & self.scope.keys() if locked else changed
            names.update({name: self.scope[name] for name in made})
            self.locked |= {name: _copy(self.scope[name]) for name in made & known}

    def _restore(self) -> None:
        sys.modules.update(self.modules)
        for module, parts in self.parts.items():
            vars(module).update(parts)
        sys.path[:] = dict.fromkeys((*self.path, *sys.path))
        os.chdir(self.folder)
        for file, content in self.files.items():
            if not file.is_file() or file.read_bytes() != content:
                file.write_bytes(content)


def _fixed(part: object) -> bool:
    """Whether it is a part of a module that no code of the module itself changes."""
    return callable(part) or isinstance(part, float | ModuleType)


def _copy(value: object) -> object:
    """A copy of a list, a dict or an array of numbers, whose content a cell may change; else the value."""
    array = hasattr(type(value), "dtype") and not getattr(value.dtype, "hasobject", True)
    return deepcopy(value) if array or isinstance(value, dict | list) else value
