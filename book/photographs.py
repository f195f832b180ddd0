"""Which networks are evaluated on a photograph, and how accurate a network is on photographs.

``python -m book.photographs`` evaluates the network of the live page on FER2013's test pictures
(``FER_DATA``) and stores the proportion that it classifies correctly.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from book.populations import Member, find_population
from ferbook.errors import DataError, FerError
from ferbook.estimate import Estimate

if TYPE_CHECKING:
    from fer_lib.train.record import TrainedNetwork

# The population that learned people's photographs.
PHOTOGRAPH_POPULATION = "photographs_zero_bias"

# ``network``, ``faces`` that it was evaluated on, how many ``pictures`` these are, and which proportion of
# them it classified correctly: ``accuracy`` with the bounds ``low`` and ``high`` over pictures. Committed.
WORTH_FILE = Path(__file__).with_suffix(".csv")


@dataclass(frozen=True)
class PhotographAnswer:
    """``probabilities`` of ``classes``, means over so many ``networks`` that learned photographs and name the
    share ``accuracy`` of ``pictures`` test photographs of the set ``faces`` rightly.
    """

    classes: tuple[str, ...]
    probabilities: np.ndarray
    networks: int
    accuracy: float
    pictures: int
    faces: str

    @property
    def emotion(self) -> str:
        """The most probable one."""
        return self.classes[int(self.probabilities.argmax())]


def photograph_networks() -> list[Member]:
    """The stored networks that were trained on photographs; none where their population or weights are not
    here.
    """
    try:
        return [member for member in find_population(PHOTOGRAPH_POPULATION).kept() if member.has_weights]
    except FerError:
        return []


def answer_about_photograph(path: Path, *, cropped: bool = False) -> PhotographAnswer | None:
    """What ``photograph_networks`` say about the largest face in the picture at ``path``; None where there is
    none of them. Raises as ``photo.face_of``.
    """
    from face_sets.photo import face_of
    from fer_lib.train.predict import as_faces, predict

    members = photograph_networks()
    if not members:
        return None
    record = members[0].done()
    size = members[0].population.faces.size
    _, crop, _, _ = face_of(path, size, record["faces"], cropped=cropped)
    own = as_faces(crop[None])
    return PhotographAnswer(
        classes=tuple(record["classes"]),
        probabilities=np.mean([predict(each.network(), own)[0] for each in members], axis=0),
        networks=len(members),
        accuracy=float(np.mean([each.done()["test_accuracy"] for each in members])),
        pictures=len(members[0].tested()),
        faces=record["faces"],
    )


def worth_on_photographs(network: str) -> tuple[Estimate, int, str] | None:
    """The proportion of photographs that ``network`` classifies correctly, of how many, and of which set;
    None where it is not stored.
    """
    table = pd.read_csv(WORTH_FILE).set_index("network")
    if network not in table.index:
        return None
    row = table.loc[network]
    share = Estimate.bounded(row["accuracy"], row["low"], row["high"], how="pictures", unit="share")
    return share, int(row["pictures"]), row["faces"]


def measured_worth(network: "TrainedNetwork", name: str = "fer2013") -> dict[str, object]:
    """A row of ``WORTH_FILE``: the ``network`` evaluated on the test pictures of the set ``name``. Raises
    DataError where that set has no emotion that the network names.
    """
    from face_sets.registry import open_faces
    from face_sets.request import FaceRequest
    from fer_lib.stats.classification import proportion
    from fer_lib.train.predict import predict

    classes, size = network.record.classes, network.model.arguments["size"]
    test = open_faces(FaceRequest(name, size=size)).split("test")
    test = test.select(test.table["emotion"].isin(classes).to_numpy())
    if not len(test):
        raise DataError(f"face set {name!r}: no test picture of an emotion that the network names")
    right = predict(network.model, test).argmax(axis=1) == test.labels(classes)
    share = proportion(int(right.sum()), len(right), of="photographs")
    bounds = {"accuracy": share.value, "low": share.low, "high": share.high}
    return {"network": network.name, "faces": name, "pictures": len(right)} | bounds


if __name__ == "__main__":
    from book.explain import networks_of
    from ferbook.store import REFERENCE, open_run

    (first, *_), _ = networks_of(open_run(REFERENCE), "cpu")
    pd.DataFrame([measured_worth(first)]).to_csv(WORTH_FILE, index=False, float_format="%.4f")
