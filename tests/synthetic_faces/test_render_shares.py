"""Work divided among processes: who does what, and what comes back."""

import json

import numpy as np
import pytest

from ferbook.errors import FerError
from synthetic_faces.shares import joined_shares, keep_share, rows_of_share, run_shares

PEOPLE = np.array([7, 3, 3, 9, 7, 12, 9])

WORKER = """
import json, os, sys

def work():
    wanted = json.loads(sys.argv[1])
    if wanted["share"] == wanted.get("fails"):
        sys.exit("no light")
    with open(os.path.join(wanted["folder"], f"{wanted['share']}.json"), "w") as file:
        json.dump({**wanted, "threads": os.environ["OMP_NUM_THREADS"]}, file)
"""


@pytest.fixture
def studio(tmp_path, monkeypatch):
    (tmp_path / "plain_studio.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_each_person_is_in_one_share_whole(workers):
    shares = [rows_of_share(PEOPLE, share, workers) for share in range(workers)]
    assert sorted(np.concatenate(shares)) == list(range(len(PEOPLE)))
    owners = [set(PEOPLE[rows]) for rows in shares]
    assert sum(map(len, owners)) == 4 and max(map(len, owners)) - min(map(len, owners)) <= 1
    assert all((np.diff(rows) > 0).all() for rows in shares)


@pytest.mark.parametrize("workers", [1, 3])
def test_shares_come_back_in_the_order_asked_for(tmp_path, workers):
    whole = np.arange(7 * 4).reshape(7, 2, 2).astype(np.uint8)
    for share in range(workers):
        rows = rows_of_share(PEOPLE, share, workers)
        keep_share(
            tmp_path, share, {"pixels": list(whole[rows]), "number": [np.float32(row) for row in rows]}
        )
    joined = joined_shares(tmp_path, PEOPLE, workers)
    np.testing.assert_array_equal(joined["pixels"], whole)
    assert joined["pixels"].dtype == np.uint8 and joined["number"].dtype == np.float32
    assert joined["number"].tolist() == list(range(7))


def test_every_worker_is_told_what_is_wanted_and_which_it_is(studio):
    run_shares("plain_studio", {"folder": str(studio), "size": 24}, 2, "faces")
    told = [json.loads((studio / f"{share}.json").read_text()) for share in range(2)]
    expected = {"folder": str(studio), "size": 24, "workers": 2, "threads": "1"}
    assert told == [expected | {"share": share} for share in range(2)]


def test_a_failing_worker_is_told_with_its_last_words(studio):
    wanted = {"folder": str(studio), "fails": 1}
    with pytest.raises(FerError, match="the process that renders plain faces ended with status 1: no light"):
        run_shares("plain_studio", wanted, 2, "plain faces")
