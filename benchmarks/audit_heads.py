"""The suite's own AU heads as a detector on trial: a CSV for ``ferbook detector audit``.

    ferbook detector stimuli stimuli
    python benchmarks/audit_heads.py stimuli own.csv [--population emotions] [--network 0]
    ferbook detector audit own.csv --stimuli stimuli

Linear heads (``fer_lib.aus.heads``) on the last features of a kept network, fitted and chosen on the training
and validation people of ``lab`` at the network's size; their probabilities of each unit are the outputs.
Faces are found and framed as ``ferbook predict`` does; a picture without one has no row.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.special import expit

from book.populations import find_population
from face_sets.photo import face_of
from face_sets.registry import open_faces
from face_sets.request import FaceRequest
from fer_lib.aus.heads import fit_heads
from fer_lib.aus.presence import presence
from fer_lib.train.predict import as_faces, features_of
from ferbook.errors import DataError
from ferbook.files import write_atomically


def main() -> None:
    """Fit the heads, ask them about every picture, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stimuli", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--population", default="emotions")
    parser.add_argument("--network", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    population = find_population(args.population)
    network = [member for member in population.kept() if member.has_weights][args.network].network()
    faces = open_faces(FaceRequest("lab", size=population.faces.size))
    heads = fit_heads(features_of(network, faces), presence(faces), faces.table["split"].to_numpy(str))
    crops, names = [], []
    for path in sorted((args.stimuli / "pictures").glob("*.png")):
        try:
            crops.append(face_of(path, faces.size[0], faces.name)[1])
            names.append(path.name)
        except DataError as fault:
            print(fault)
    probabilities = expit(heads.log_odds(features_of(network, as_faces(np.stack(crops)))))
    table = pd.DataFrame(probabilities, columns=heads.aus).assign(file=names)
    write_atomically(args.output, table.to_csv(index=False))
    print(f"{len(names):,} pictures, {len(heads.aus)} heads; too few people for {heads.too_few or 'none'}")


if __name__ == "__main__":
    main()
