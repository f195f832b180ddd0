"""The filters that are held for detectors of an action unit: what one chapter hands to another."""

from pydantic import BaseModel, ConfigDict, NonNegativeInt


class Detector(BaseModel):
    """A filter, the unit ``au`` that it is claimed to detect, its ``association`` with that unit, and the
    unit that it is ``moved_by`` most when units are switched on one at a time; empty where none raises it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: NonNegativeInt
    au: str
    association: float
    moved_by: str

    @property
    def verified(self) -> bool:
        """Whether the unit of the claim is the one that moves the filter most."""
        return self.au == self.moved_by


class Detectors(BaseModel):
    """The detectors of one ``layer`` of a network, the strongest first; a filter has one unit at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    filters: tuple[Detector, ...]
