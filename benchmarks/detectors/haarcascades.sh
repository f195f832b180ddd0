#!/usr/bin/env bash
# What OpenCV's cascades of smiles and eyes say of a folder of pictures, as a CSV; its mapping is
# haarcascades.yaml.
#
#     benchmarks/detectors/haarcascades.sh stimuli/pictures cascades.csv
#     ferbook detector audit cascades.csv --stimuli stimuli --columns benchmarks/detectors/haarcascades.yaml
#
# An environment of its own is made in a temporary folder. OpenCV 4.14 has the cascades in its package, 5 has
# not. Each carries its licence in its head: that of the smile is a BSD licence, that of the eye Intel's for OpenCV.
# The smile is the number of windows that its cascade accepts in the lower half of the largest face; an eye is
# the more closed, the more windows its cascade accepts less than in the picture with the most. Whether it finds
# an eye at all says little: by OpenCV's default, three windows, it finds nine of twelve closed eyes as well.
# The person's left is the picture's right.
set -euo pipefail
pictures=$(realpath "$1"); out=$(realpath "$2"); work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q opencv-python-headless==4.14.0.94
own/bin/python - "$pictures" "$out" <<'PYTHON'
import csv, sys, time
from pathlib import Path

import cv2

cv2.setNumThreads(1)
kinds = ("frontalface_default", "smile", "eye")
face, smile, eye = (cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_{each}.xml") for each in kinds)
began, rows, pictures = time.process_time(), [], sorted(Path(sys.argv[1]).glob("*.png"))
for picture in pictures:
    grey = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    faces = face.detectMultiScale(grey, 1.1, 4)
    if not len(faces):
        continue
    x, y, wide, high = max(faces, key=lambda box: box[2] * box[3])
    top, lower = grey[y : y + high * 3 // 5], grey[y + high // 2 : y + high, x : x + wide]
    windows = smile.detectMultiScale(lower, 1.05, 0)
    sides = {"right": top[:, x : x + wide // 2], "left": top[:, x + wide // 2 : x + wide]}
    eyes = [len(eye.detectMultiScale(sides[side], 1.05, 0)) for side in ("left", "right")]
    rows.append([picture.name, len(windows), *eyes])
most = [max(row[place] for row in rows) for place in (2, 3)]
rows = [[name, windows, most[0] - left, most[1] - right] for name, windows, left, right in rows]
with open(sys.argv[2], "w", newline="") as file:
    table = csv.writer(file)
    table.writerows([["file", "smile", "eye_closed_left", "eye_closed_right"], *rows])
seconds = time.process_time() - began
print(f"OpenCV {cv2.__version__}: {len(rows):,} faces in {len(pictures):,} pictures, {seconds:.0f} s of a core")
PYTHON
