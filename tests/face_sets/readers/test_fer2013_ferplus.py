"""FER+: the majority rule, the csv pair, and each way they can be broken."""

from pathlib import Path

import numpy as np
import pytest

from face_sets.faceset import EMOTIONS, SPLITS, FaceSet
from face_sets.readers.fer2013 import FERPLUS_HEADER, VOTE_COLUMNS, majority, read_ferplus
from face_sets.registry import REGISTRY, source_status
from ferbook.errors import DataError
from tests.face_sets.readers.writers.fer2013 import write_ferplus
from tests.made import made_faces

NEUTRAL, HAPPINESS, SURPRISE, SADNESS, ANGER, _, FEAR, CONTEMPT, UNKNOWN, NF = range(10)


def votes(**counts) -> list[int]:
    return [counts.get(name, 0) for name in VOTE_COLUMNS]


@pytest.mark.parametrize(
    ("given", "winner"),
    [
        (votes(happiness=10), HAPPINESS),
        # Single votes count for nothing: 6 of 8.
        (votes(neutral=6, sadness=1, surprise=1, unknown=2), NEUTRAL),
        (votes(neutral=5, sadness=5), -1),  # half is not more than half
        (votes(neutral=4, anger=3, disgust=2, sadness=1), -1),  # 4 of 9
        (votes(neutral=4, anger=3, disgust=1, sadness=1, fear=1), NEUTRAL),  # 4 of 7
        (votes(contempt=6, neutral=4), CONTEMPT),
        (votes(unknown=6, fear=4), UNKNOWN),
        (votes(), -1),
    ],
)
def test_the_majority_rule_by_hand(given, winner):
    assert majority(np.array([given])).tolist() == [winner]


def test_the_majority_rule_agrees_with_a_plain_reading_of_it():
    rng = np.random.default_rng(0)
    many = rng.multinomial(10, rng.dirichlet(np.full(10, 0.4)), 500)
    for row, winner in zip(many.tolist(), majority(many).tolist(), strict=True):
        left = [count for count in row if count >= 2]
        better = [k for k, count in enumerate(row) if count >= 2 and count > sum(left) - count]
        assert winner == (better[0] if better else -1)


USAGES = ("Training", "PublicTest", "PrivateTest")
ROWS = [
    # label of FER2013, image name, votes
    (0, "fer0000000.png", votes(anger=9, fear=1)),
    (3, "fer0000001.png", votes(happiness=10)),
    (6, "fer0000002.png", votes(neutral=5, sadness=5)),
    (6, "", votes(NF=10)),
    (2, "fer0000007.png", votes(contempt=8, fear=2)),
    (2, "fer0000008.png", votes(unknown=7, fear=3)),
    (2, "fer0000009.png", votes(NF=8, fear=2)),
]


def write_pair(folder, rows=ROWS):
    folder.mkdir(exist_ok=True)
    usage = [USAGES[i % 3] for i in range(len(rows))]
    pixels = [np.full((48, 48), 10 * i, np.uint8) for i in range(len(rows))]
    lines = [
        f"{label},{' '.join(map(str, picture.ravel()))},{use}"
        for (label, _, _), picture, use in zip(rows, pixels, usage, strict=True)
    ]
    (folder / "fer2013.csv").write_text("\n".join(["emotion,pixels,Usage", *lines]) + "\n")
    lines = [f"{use},{name},{','.join(map(str, v))}" for (_, name, v), use in zip(rows, usage, strict=True)]
    (folder / "fer2013new.csv").write_text("\n".join([FERPLUS_HEADER, *lines]) + "\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "ferplus"


def test_the_csv_pair(folder):
    faces = read_ferplus(write_pair(folder))
    assert faces.table["image"].tolist() == ["fer0000000.png", "fer0000001.png", "fer0000007.png"]
    assert faces.table["sequence"].tolist() == ["00000", "00001", "00004"]
    assert faces.table["emotion"].tolist() == ["anger", "happiness", "contempt"]
    assert faces.table["fer2013_emotion"].tolist() == ["anger", "happiness", "fear"]
    assert faces.table["split"].tolist() == ["train", "valid", "valid"]
    assert faces.pixels[:, 0, 0].tolist() == [0, 10, 40]
    assert faces.table["vote_contempt"].tolist() == [0, 0, 8] and faces.table["vote_nf"].tolist() == [0, 0, 0]
    assert set(faces.table["dataset"]) == {"ferplus"} and faces.size == (48, 48)
    assert sorted(faces.left_out.values()) == [1, 1, 1, 1]
    assert sum(faces.left_out.values()) + len(faces) == len(ROWS)
    assert read_ferplus(folder, 96).size == (96, 96)


def test_wrong_layouts_say_what_is_missing(folder):
    with pytest.raises(DataError, match=r"fer2013\.csv: not found"):
        read_ferplus(folder)
    write_pair(folder)
    (folder / "fer2013new.csv").rename(folder / "votes.csv")
    with pytest.raises(DataError, match=r"fer2013new\.csv: not found; FER\+ needs both"):
        read_ferplus(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path, folder):
    write_pair(folder)
    (folder / "fer2013new.csv").rename(tmp_path / "votes.csv")
    (folder / "fer2013new.csv").symlink_to(tmp_path / "votes.csv")
    with pytest.raises(DataError, match=r"fer2013new\.csv: a link that leaves"):
        read_ferplus(folder)


def face_set(**columns) -> FaceSet:
    numbers, pixels = range(16), np.random.default_rng(0).integers(0, 256, (16, 48, 48)).astype(np.uint8)
    known = {"emotion": [EMOTIONS[i % 8] for i in numbers], "split": [SPLITS[i % 3] for i in numbers]}
    return made_faces(pixels, "game", **known | columns)


def test_votes_that_do_not_agree_decide(tmp_path):
    faces = face_set(vote_fear=[6] * 16, vote_neutral=[4] * 16)
    write_ferplus(faces, tmp_path)
    assert set(read_ferplus(tmp_path).table["emotion"]) == {"fear"}


def test_the_real_votes_give_the_published_counts():
    status = source_status("ferplus")  # in the folder ferplus, or beside FER2013
    if not status["found"]:
        pytest.skip(f"the real FER+ is not at hand: no {status['missing']}")
    faces = read_ferplus(Path(status["place"]))
    assert {"pictures": len(faces)} == REGISTRY["ferplus"].published
    assert faces.table["split"].value_counts().to_dict() == {"train": 25_060, "valid": 3_199, "test": 3_153}
    assert sum(faces.left_out.values()) + len(faces) == 35_887
