"""Every official layout at the size that its set was published in: what the chapters take of it.

    python benchmarks/layouts.py [--layouts tfd bp4d] [--share 1.0] [--out book/layouts.csv]

The licensed sets cannot be had here, so each is written from rendered faces, as ``ferbook data export`` does:
as many people, sequences and frames as ``EXTENTS`` says, the pictures of ``POOL`` rendered people again and
again. Each is then read and put to all chapters at the profile smoke, one core, as a holder of the set would.
A row per chapter: what it ended as, seconds, and the largest resident memory of any of its processes.

Goals, written before any of it was measured: every chapter ends, or says before it runs what the set lacks;
no process takes more than 2 GiB. ``--share`` makes smaller sets. FER2013 and FER+ come by the real files.
"""

import argparse
import json
import os
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
import psutil

from fer_lib.faces.export import export_faces
from fer_lib.faces.faceset import EMOTIONS, FaceSet
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.train.device import device_name
from ferbook import paths
from ferbook.environment import git_commit
from ferbook.files import write_atomically
from ferbook.owner import now

POOL = 60
"""Rendered people whose pictures are written."""

TICK = 0.2
"""Seconds between two looks at the processes."""

SIX = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
MICRO = ("happiness", "disgust", "surprise", "repression", "other")


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
    "casme2": Extent(26, 255, 67, MICRO),
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
    shown = np.array(extent.emotions, dtype=object)[turn % len(extent.emotions)]
    emotion = np.where((frame == 0) & (extent.frames > 1), "neutral", shown)
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


def peaks(command: list[str], environment: Mapping[str, str]) -> tuple[dict[str, float], str, int]:
    """Run ``command`` in the repository: by chapter (empty: the command itself) the largest resident memory
    of any of its processes in MiB, what was printed, and how it ended.
    """
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=paths.root(), env=environment, stdout=log, stderr=subprocess.STDOUT, text=True
        )
        most: dict[str, float] = {}
        while process.poll() is None:
            for each in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
                chapter, memory = _largest(each)
                most[chapter] = max(memory, most.get(chapter, 0.0))
            time.sleep(TICK)
        log.seek(0)
        return most, log.read(), process.returncode


def _largest(process: psutil.Process) -> tuple[str, float]:
    """The chapter that a process works for, and its largest resident memory so far, MiB."""
    try:
        lines = [process.cmdline(), *(parent.cmdline() for parent in process.parents())]
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (psutil.Error, OSError):  # it has just ended
        return "", 0.0
    chapters = [line[line.index("_execute") + 1] for line in lines if "_execute" in line]
    held = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return (chapters or [""])[0], int(held[0]) / 2**10 if held else 0.0


def trial(name: str, share: float, cache: Path) -> list[dict[str, object]]:
    """The rows of one layout: reading it, and each chapter."""
    run = f"layout_{name}"
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"FER_CACHE": str(cache)}
        if name in EXTENTS:
            environment["FER_DATA"] = folder
            faces = published_size(name, share)
            export_faces(faces, name, Path(folder))
            del faces
        about = [sys.executable, "-m", "ferbook.cli", "data", "describe", name]
        begun = time.perf_counter()
        read, said, ended = peaks(about, environment)
        rows = [_row(name, "read", "done" if ended == 0 else said.strip(), time.perf_counter() - begun, read)]
        shutil.rmtree(paths.root() / "runs" / run, ignore_errors=True)
        command = [sys.executable, "-m", "ferbook.cli", "run", "--profile", "smoke", "--faces", name]
        most, said, _ = peaks([*command, "--run", run, "--cores", "1"], environment)
        for chapter in sorted({*most} - {""}):
            record = paths.root() / "runs" / run / chapter / "record.json"
            done = json.loads(record.read_text()) if record.exists() else {}
            outcome = "done" if done else next(line for line in said.splitlines() if line.startswith(chapter))
            own = {chapter: most[chapter]}
            rows.append(_row(name, chapter, outcome, done.get("seconds", np.nan), own, done.get("data")))
        told = [line for line in said.splitlines() if "cannot" in line or "lacks" in line]
        print(f"{name}: {'; '.join(told) or 'all chapters began'}", flush=True)
        shutil.rmtree(paths.root() / "runs" / run, ignore_errors=True)
        shutil.rmtree(cache / "faces" / name, ignore_errors=True)
    return rows


def _row(
    name: str, chapter: str, outcome: str, seconds: float, most: Mapping[str, float], data: object = None
) -> dict[str, object]:
    return {
        "layout": name,
        "chapter": chapter,
        "pictures": data["pictures"] if isinstance(data, Mapping) else "",
        "outcome": outcome[:200],
        "seconds": round(seconds, 1),
        "peak_mib": round(max(most.values(), default=0.0)),
    }


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--layouts", nargs="+", default=["fer2013", "ferplus", *EXTENTS])
    parser.add_argument("--share", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as cache:
        for name in options.layouts:
            about = {
                "share": options.share,
                "device": device_name("cpu"),
                "date": now(),
                "commit": git_commit(),
            }
            rows = pd.DataFrame([row | about for row in trial(name, options.share, Path(cache))])
            print(rows.drop(columns=[*about]).to_string(index=False), flush=True)
            if options.out:
                kept = pd.read_csv(options.out) if options.out.exists() else rows.iloc[:0]
                table = pd.concat([kept[kept["layout"].ne(name)], rows], ignore_index=True)
                write_atomically(options.out, table.to_csv(index=False))


if __name__ == "__main__":
    main()
