"""The filters that are held for detectors of an action unit: what one chapter hands to another."""

import pandas as pd
from pydantic import BaseModel, ConfigDict, NonNegativeInt


class Detector(BaseModel):
    """A filter, the unit that it is claimed to detect, and its association with that unit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    filter: NonNegativeInt
    au: str
    association: float


class Detectors(BaseModel):
    """The detectors of one ``layer`` of a network, the strongest first; a filter has one unit at most."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    filters: tuple[Detector, ...]

    def table(self) -> pd.DataFrame:
        """One row per filter: ``filter``, ``au``, ``association``."""
        return pd.DataFrame([each.model_dump() for each in self.filters], columns=list(Detector.model_fields))
