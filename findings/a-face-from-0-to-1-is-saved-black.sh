#!/usr/bin/env bash
# A picture in floats from 0 to 1, as networks take and give them, is saved.
# One would guess: it is scaled to 0 to 255, as matplotlib does, or refused.
# What happens: OpenCV rounds it to 0 and 1 and returns True (a line on stderr); Pillow's convert("L") cuts it
# down to 0 everywhere, without a word. Both files look black, and both are pictures that any reader opens.
# Source: opencv-python-headless 4.14.0.94 imwrite, Pillow 13.0.0 Image.fromarray(…).convert, run.
# Why it matters: exported faces, maximal responses and heat maps go to detectors and to people as black
# pictures; a detector then finds no face, or the same answer on each.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q opencv-python-headless==4.14.0.94 pillow==13.0.0 numpy==2.4.6
own/bin/python - <<'PYTHON'
import os

os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
import cv2
import numpy as np
import PIL
from PIL import Image

face = np.linspace(0.2, 0.8, 64 * 64, dtype=np.float32).reshape(64, 64)
written = cv2.imwrite("face.png", face)
opencv = np.unique(cv2.imread("face.png", cv2.IMREAD_GRAYSCALE)).tolist()
pillow = np.unique(np.asarray(Image.fromarray(face).convert("L"))).tolist()
print(f"OpenCV {cv2.__version__}: {written}, levels {opencv}; Pillow {PIL.__version__}: levels {pillow}")
assert written and opencv == [0, 1] and pillow == [0]
PYTHON
