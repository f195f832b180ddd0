"""Learning rates over a training, by the names that a recipe takes."""

from collections.abc import Callable

from fastai.callback.schedule import SchedCos, SchedNo, combined_cos

from fer_lib.errors import ParameterError

SCHEDULES: dict[str, Callable[[float], Callable[[float], float]]] = {
    "constant": lambda lr: SchedNo(lr, lr),
    "onecycle": lambda lr: combined_cos(0.25, lr / 25, lr, lr / 1e5),
    "cosine": lambda lr: SchedCos(lr, 0.0),
}
"""Name to a function of the peak rate, which gives the rate as a function of the share of all steps that is done."""


def rate_of(schedule: str, lr: float) -> Callable[[float], float]:
    """The learning rate as a function of the share of all steps that is done, with its highest value ``lr``.

    ``constant`` as Khorrami et al. 2015; ``onecycle`` from ``lr``/25 up to ``lr`` in the first quarter of the steps,
    then down to nearly zero, along cosines; ``cosine`` from ``lr`` to zero. Raises ParameterError for another name.
    """
    if schedule not in SCHEDULES:
        raise ParameterError(f"schedule {schedule!r}: give {', '.join(SCHEDULES)}")
    return SCHEDULES[schedule](lr)
