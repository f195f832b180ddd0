"""One way to show an emotion, and how a table of such ways is written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """One way to show an emotion: its proportion among the emotion's variants (``share``), and its AUs.

    ``aus``: AU -> (probability that it is shown, intensity at the full expression), both in (0, 1];
    ``one_sided`` is shown on half of the face.
    """

    share: float
    aus: dict[str, tuple[float, float]]
    one_sided: bool = False


def variants(*rows: str) -> tuple[Variant, ...]:
    """Parse variants from ``rows``: proportion, ``half`` for those shown on half of the face, and for each AU
    its number, probability and intensity, as ``".44 half: 14 .97 .95, 12 .35 .4"``.
    """
    ways = []
    for row in rows:
        (share, *half), aus = row.partition(":")[0].split(), row.partition(":")[2]
        values = (entry.split() for entry in aus.split(",") if entry)
        units = {f"AU{au}": (float(probability), float(intensity)) for au, probability, intensity in values}
        ways.append(Variant(float(share), units, half == ["half"]))
    return tuple(ways)
