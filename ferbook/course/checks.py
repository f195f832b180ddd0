"""Run a check in a student's kernel, where Python, its modules and the locked helpers are as they were.

The kernel has none of this package: it is sent this file as text, before any cell.
"""

import builtins
import os
import sys
from collections.abc import Collection
from types import ModuleType

from IPython import get_ipython


class Checks:
    """What a check uses besides the student's work: as it was before the student's cells changed it."""

    def __init__(self) -> None:
        self.folder, self.modules, self.helpers = os.getcwd(), {}, {}
        self.remember(())

    def remember(self, names: Collection[str]) -> None:
        """Remember functions and numbers of modules, and the functions and modules among ``names``."""
        for module in [each for each in sys.modules.values() if isinstance(each, ModuleType)]:
            content = {k: v for k, v in vars(module).items() if callable(v) or isinstance(v, float)}
            self.modules.setdefault(module, content)
        values = {name: value for name, value in get_ipython().user_ns.items() if name in names}
        self.helpers |= {k: v for k, v in values.items() if callable(v) or isinstance(v, ModuleType)}

    def run(self, source: str, tasks: Collection[str]) -> None:
        """Run a check with the student's names, those of Python and of helpers excepted unless they are the
        names of ``tasks``. What the check defines can be used by cells below it.
        """
        os.chdir(self.folder)
        for module, content in self.modules.items():
            vars(module).update(content)
        names = get_ipython().user_ns
        hidden = {name for name in (*dir(builtins), *self.helpers) if name[0] != "_"} - {*tasks}
        helpers = {name: value for name, value in self.helpers.items() if name in hidden}
        scope = {name: value for name, value in names.items() if name not in hidden} | helpers
        try:
            exec(get_ipython().transform_cell(source), scope)
        finally:
            names.update({name: value for name, value in scope.items() if name not in hidden})


if __name__ == "course_checks":  # so the kernel calls it
    sys.modules[__name__] = Checks()
