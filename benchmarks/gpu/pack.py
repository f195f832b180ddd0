"""Make this checkout small enough to travel to another machine, and whole again.

    python benchmarks/gpu/pack.py light [--fer2013]
    python benchmarks/gpu/pack.py whole

`light` takes `runs/` and the kept pages out of the working tree (git keeps them), and puts into the folder
`.gpu`, which git ignores, which commit this is and, with `--fer2013`, the pictures of the user's copy of
FER2013. It refuses, and leaves everything as it was, where what would travel is larger than `MOST_PACKED`.
`whole` brings all of it back and removes `.gpu`.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fer_lib.faces.faceset import FaceSet
from fer_lib.faces.readers.fer2013 import read_fer2013
from fer_lib.faces.registry import write_layout
from fer_lib.paths import data_dir
from ferbook import paths
from ferbook.errors import DataError, FerError
from ferbook.files import whole_folder

MOST_PACKED = 64 * 2**20
GPU_LOAD = paths.root() / ".gpu"
"""What travels beside the checkout's own files."""

COMMIT_FILE = "commit"
"""In the load: which commit it is, since the folder `.git` may stay behind."""

STAYING = ("/runs/", "/book/_kept/")
"""What stays, since nothing there reads it: committed runs, of which the populations alone are 85 MB, and
pages that were made before.
"""

ABREAST = 190
"""Faces side by side in a mosaic: WebP takes sides of 16,383 pixels at most."""


def _git(root: Path, *words: str) -> str:
    """What a command of git says. Raises FerError with its own words."""
    process = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if process.returncode:
        raise FerError(f"git {words[0]}: {process.stderr.strip()}")
    return process.stdout


def travel_sizes(root: Path) -> dict[str, int]:
    """Path -> bytes, of all that would travel: what git tracks or does not ignore, as far as it is in the
    working tree, and the load.
    """
    names = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    files = [root / name for name in names if name] + [file for file in (root / GPU_LOAD.name).rglob("*")]
    return {str(file.relative_to(root)): file.lstat().st_size for file in files if file.is_file()}


def lighten(root: Path, faces: FaceSet | None = None) -> int:
    """Take what is ``STAYING`` out of the working tree, and put the commit and ``faces`` of FER2013 into the
    load; the bytes that would travel now. Raises FerError, with everything as before, where something there
    is not committed, where the working tree is sparse already, and where it is too much.
    """
    if _git(root, "config", "--default", "false", "--get", "core.sparseCheckout").strip() == "true":
        raise FerError(
            "the working tree is sparse already; `python benchmarks/gpu/pack.py whole` makes it whole"
        )
    if changes := _git(root, "status", "--porcelain", "--", *(f".{place}" for place in STAYING)).splitlines():
        raise FerError(f"{changes[0].split(maxsplit=1)[1]} is not committed; commit or remove it first")
    commit = _git(root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*").strip()
    try:
        _git(root, "sparse-checkout", "set", "--no-cone", "/*", *(f"!{place}" for place in STAYING))
        load = root / GPU_LOAD.name
        if faces is not None:
            pack_fer2013(faces, load)
        load.mkdir(exist_ok=True)
        (load / COMMIT_FILE).write_text(commit)
        every = travel_sizes(root)
        if (total := sum(every.values())) > MOST_PACKED:
            largest = sorted(every, key=every.get, reverse=True)[:5]
            words = ", ".join(f"{name} ({every[name] / 2**20:.1f})" for name in largest)
            raise FerError(
                f"{total / 2**20:.1f} MiB would travel, {MOST_PACKED / 2**20:.0f} may; largest: {words}"
            )
    except BaseException:
        restore(root)
        raise
    return total


def restore(root: Path) -> None:
    """Bring everything back that ``lighten`` took, and remove what it put there."""
    _git(root, "sparse-checkout", "disable")
    shutil.rmtree(root / GPU_LOAD.name, ignore_errors=True)


def pack_fer2013(faces: FaceSet, load: Path) -> None:
    """Write the pictures of ``faces`` as one mosaic, without loss, and beside it what their labels are."""
    rows = -(-len(faces) // ABREAST)
    side = faces.size[0]
    mosaic = np.zeros((rows * ABREAST, side, side), np.uint8)
    mosaic[: len(faces)] = faces.pixels
    mosaic = mosaic.reshape(rows, ABREAST, side, side).swapaxes(1, 2).reshape(rows * side, ABREAST * side)
    with whole_folder(load) as folder:
        Image.fromarray(mosaic).save(folder / "fer2013.webp", lossless=True, quality=25, method=2)
        faces.table[["emotion", "split"]].to_csv(folder / "labels.csv", index=False)


def unpack_fer2013(load: Path, folder: Path) -> Path:
    """Write the official layout of what ``pack_fer2013`` packed into ``load`` below ``folder``, unless it is
    there; the folder, as FER_DATA takes it.
    """
    if (folder / "fer2013").is_dir():
        return folder
    table = pd.read_csv(load / "labels.csv")
    mosaic = np.asarray(Image.open(load / "fer2013.webp").convert("L"))
    side = mosaic.shape[1] // ABREAST
    pictures = mosaic.reshape(-1, side, ABREAST, side).swapaxes(1, 2).reshape(-1, side, side)[: len(table)]
    blank = {"dataset": "fer2013", "subject": "", "sequence": "", "frame": 0}
    folder.mkdir(parents=True, exist_ok=True)
    with whole_folder(folder / "fer2013") as place:
        write_layout("fer2013", FaceSet("fer2013", pictures, table.assign(**blank)), place)
    return folder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("state", choices=["light", "whole"])
    parser.add_argument("--fer2013", action="store_true")
    args = parser.parse_args()
    try:
        if args.state == "whole":
            restore(paths.root())
            print("the working tree is whole")
            return 0
        source = data_dir() / "fer2013"
        if args.fer2013 and not source.is_dir():
            raise DataError(f"{source}: not found; set FER_DATA to the folder that holds fer2013/")
        total = lighten(paths.root(), read_fer2013(source) if args.fer2013 else None)
    except FerError as fault:
        print(f"pack: {fault}", file=sys.stderr)
        return fault.exit_code
    print(f"{total / 2**20:.1f} MiB travel, .gpu among them; `python benchmarks/gpu/pack.py whole` undoes it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
