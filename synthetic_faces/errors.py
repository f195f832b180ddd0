"""What the generator refuses or fails at. ``exit_code`` is what a program that it stops should return: 2 where its
user can mend it, 1 where we must.
"""


class SettingError(Exception):
    """A value is unknown, of the wrong type or out of range."""

    exit_code = 2


class AssetError(Exception):
    """The data of the head, or a package, are missing or damaged, or cannot be kept."""

    exit_code = 2


class RenderError(Exception):
    """A process that renders has ended before its work was done."""

    exit_code = 1
