"""Every official layout at the size that its set was published in: what the chapters take of it.

    python benchmarks/layouts.py [--layouts tfd bp4d] [--share 1.0] [--out layouts.csv]

The licensed sets cannot be had here, so each is written from rendered faces, as ``ferbook data export`` does:
as many people, sequences and frames as ``EXTENTS`` says, the pictures of ``POOL`` rendered people again and
again. Each is then described, and put to one chapter after the other at the profile smoke, by one core, as a
holder of the set would. A row each: what it ended as, seconds, and the largest resident memory of any of the
processes. FER2013 and FER+ come by the real files.

Goals, written before any of it was measured: every chapter ends, or says before it runs what the set lacks;
no process takes more than 2 GiB. ``--share`` makes smaller sets.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from fer_lib.faces.export import export_faces
from fer_lib.faces.faceset import EMOTIONS, SIX, FaceSet
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.train.device import device_name
from ferbook import paths
from ferbook.book import chapters
from ferbook.environment import git_commit
from ferbook.files import write_atomically
from ferbook.owner import now

POOL = 60
"""Rendered people whose pictures are written."""

FOLDS = re.compile(r"chapter (\w+): .*-p folds=2")
"""What a chapter says before it runs where a set has too few people to test on: the advice is followed."""

MICRO_CLASSES = ("happiness", "disgust", "surprise", "repression", "other")


@dataclass(frozen=True)
class Extent:
    """A set's ``people``, ``sequences`` of them all, and ``frames`` of a sequence, of which the first is at
    rest where there are several; of the ``emotions`` the sequences show one after the other, person by
    person; ``unlabelled`` pictures besides.
    """

    people: int
    sequences: int
    frames: int
    emotions: tuple[str, ...] = SIX
    unlabelled: int = 0


EXTENTS: Mapping[str, Extent] = {
    "ckplus": Extent(123, 593, 18, (*SIX, "contempt")),
    "tfd": Extent(400, 4_178, 1, (*SIX, "neutral"), unlabelled=98_058),
    "jaffe": Extent(10, 213, 1, (*SIX, "neutral")),
    "casme2": Extent(26, 255, 67, MICRO_CLASSES),
    "samm": Extent(29, 159, 74, ("anger", "happiness", "surprise", "contempt", "other")),
    "mmi": Extent(31, 208, 60),
    "oulu_casia": Extent(80, 480, 22),
    "bu3dfe": Extent(100, 2_500, 1, (*SIX * 4, "neutral")),
    "bu4dfe": Extent(101, 606, 100),
    "bp4d": Extent(41, 328, 448),
    "bp4dplus": Extent(140, 560, 353),
    "novaemotions": Extent(40, 42_911, 1, (*SIX, "contempt", "neutral")),
}
"""People, sequences and pictures as the sets were published; where frames differ in number, their mean."""


def published_size(name: str, share: float = 1.0) -> FaceSet:
    """A face set of rendered pictures with people, sequences and frames as in ``EXTENTS``, or a ``share`` of
    the sequences and of the unlabelled pictures (of each person at least one).
    """
    extent = EXTENTS[name]
    pool = open_faces(FaceRequest("lab", subjects=POOL, size=48 if name == "tfd" else 96))
    count = max(round(extent.sequences * share), extent.people)
    sequence, frame = np.divmod(np.arange(count * extent.frames), extent.frames)
    person, turn = sequence % extent.people, sequence // extent.people
    turns = np.array(extent.emotions, dtype=object)[turn % len(extent.emotions)]
    emotion = np.where((frame == 0) & (extent.frames > 1), "neutral", turns)
    rows = _pictures(pool, person, emotion, frame)
    units = pool.table[list(pool.aus)].iloc[rows].reset_index(drop=True)
    names = pd.Series(person).map("lab-{:03d}".format)
    table = pd.DataFrame(
        {
            "dataset": "lab",
            "subject": names,
            "sequence": names + pd.Series(sequence).map("-{:06d}".format),
            "frame": frame + 1,
            "emotion": emotion,
            "split": np.array(["train"] * 8 + ["valid", "test"])[person % 10],
            **{"onset": 1, "apex": max(extent.frames // 2, 1), "offset": extent.frames},
        }
    )
    table = pd.concat([table, units], axis=1)
    if extra := round(extent.unlabelled * share):
        nobody = table.iloc[np.arange(extra) % len(table)].assign(subject="", sequence="", emotion="")
        table = pd.concat([table, nobody], ignore_index=True)
        rows = rows[np.arange(len(table)) % len(rows)]
    return FaceSet("lab", pool.gather(rows), table)


def _pictures(pool: FaceSet, person: np.ndarray, emotion: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """A row of ``pool`` for each picture: of a person and an emotion, by frame; what the pool does not show
    stands as some other one that it does.
    """
    table, names = pool.table, pool.table["subject"].unique()
    there = [name for name in EMOTIONS if name in set(table["emotion"])]
    codes = np.array([there.index(name) if name in there else len(name) % len(there) for name in emotion])
    groups = {key: part.to_numpy() for key, part in table.groupby(["subject", "emotion"]).groups.items()}
    anyone = {name: part.to_numpy() for name, part in table.groupby("emotion").groups.items()}
    rows = np.empty(len(person), np.int64)
    for row, (who, code, number) in enumerate(zip(person, codes, frame, strict=True)):
        own = groups.get((names[who % len(names)], there[code]), anyone[there[code]])
        rows[row] = own[number % len(own)]
    return rows


_WATCH = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:]).returncode
print(f"\\n{code} {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}")
"""
"""Says how a command ended, and the largest resident memory of any of its processes, KiB. A small process of
its own: what is started by a large one counts as large as that, since it began as its copy.
"""


def ended(words: list[str], environment: Mapping[str, str]) -> tuple[dict[str, object], str]:
    """Run ``ferbook`` with ``words`` in the repository: why it failed where it did, ``seconds``, and
    ``peak_mib`` of the largest of its processes; and what it printed.
    """
    began = time.perf_counter()
    answer = subprocess.run(
        [sys.executable, "-S", "-c", _WATCH, sys.executable, "-m", "ferbook.cli", *words],
        cwd=paths.root(),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    text, _, last = answer.stdout.rstrip().rpartition("\n")
    code, kibibytes = map(int, last.split())
    reasons = [line for line in text.splitlines() if line.startswith("ferbook: ")]
    facts = {
        "outcome": "done" if code == 0 else " ".join(reasons)[:300] or f"exit {code}",
        "seconds": round(time.perf_counter() - began, 1),
        "peak_mib": round(kibibytes / 2**10),
    }
    return facts, text


def trial(name: str, share: float, cache: Path) -> list[dict[str, object]]:
    """The rows of one layout: reading it, and each chapter. Rendered faces are kept in ``cache``."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"FER_RUNS": f"{folder}/runs", "FER_CACHE": str(cache)}
        if name in EXTENTS:
            environment["FER_DATA"] = f"{folder}/data"
            export_faces(published_size(name, share), name, Path(folder, "data"))
        reading, text = ended(["data", "describe", name, "--json"], environment)
        rows = [{"chapter": "reading"} | reading]
        for chapter in chapters():
            command = ["run", chapter, "--faces", name, "--profile", "smoke", "--cores", "1", "--run"]
            facts, _ = ended([*command, "layout"], environment)
            if advice := FOLDS.search(facts["outcome"]):
                facts, _ = ended([*command, "folds", "-p", f"{advice[1]}.folds=2"], environment)
                facts["outcome"] += " with folds=2"
            rows.append({"chapter": chapter} | facts)
    for own in (cache / "faces").glob(f"{name}-*"):
        shutil.rmtree(own)
    counts = json.loads(text)["pictures and people by split and emotion"]["pictures"]
    return [{"layout": name, "pictures": counts["total"]} | row for row in rows]


def main() -> None:
    """Try the layouts one after the other; each is kept when it is whole."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--layouts", nargs="+", default=["fer2013", "ferplus", *EXTENTS])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        for name in args.layouts:
            device = device_name(torch.device("cpu"))
            about = {"share": args.share, "device": device, "when": now(), "commit": git_commit()}
            rows = pd.DataFrame([row | about for row in trial(name, args.share, Path(cache))])
            print(rows.drop(columns=[*about]).to_string(index=False), flush=True)
            if args.out:
                table = pd.read_csv(args.out) if args.out.exists() else rows.iloc[:0]
                table = pd.concat([table[table["layout"].ne(name)], rows], ignore_index=True)
                write_atomically(args.out, table.to_csv(index=False))


if __name__ == "__main__":
    main()
