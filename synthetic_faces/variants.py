"""One way to show an emotion, and how a table of such ways is written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One way to show an emotion: its share among the emotion's variants, and its AUs.

    ``aus``: AU -> (probability that it is shown, intensity at the full expression), both in (0, 1];
    ``one_sided`` is shown on half of the face.
    """

    share: float
    aus: dict[str, tuple[float, float]]
    one_sided: bool = False


def unit_table(text: str) -> dict[str, tuple[float, float]]:
    """``"4 .97 .95, 7 .75 .8"`` (AU, probability, intensity) as the mapping that ``Variant`` takes."""
    rows = (entry.split() for entry in text.split(","))
    return {f"AU{au}": (float(probability), float(intensity)) for au, probability, intensity in rows}
