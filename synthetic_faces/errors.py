"""Errors of the generator. ``exit_code`` is what a program that they stop should return: 2 if its user can
correct the cause, 1 otherwise.
"""


class SettingError(Exception):
    """A value is unknown, of the wrong type or out of range."""

    exit_code = 2


def require_between(settings: object, **limits: tuple[float, float]) -> None:
    """Raise SettingError unless each named attribute of ``settings``, a number or a (low, high) pair, lies
    within its limits.
    """
    for name, (least, most) in limits.items():
        value = getattr(settings, name)
        if isinstance(value, tuple):
            if not least <= value[0] <= value[1] <= most:
                raise SettingError(f"{name} is {value}; it must be a pair {least} <= low <= high <= {most}")
        elif not least <= value <= most:
            raise SettingError(f"{name} is {value}; it must lie between {least} and {most}")


class AssetError(Exception):
    """The data of the head, or a package, are missing or damaged, or cannot be stored."""

    exit_code = 2


class RenderError(Exception):
    """A rendering process ended before its work was done."""

    exit_code = 1
