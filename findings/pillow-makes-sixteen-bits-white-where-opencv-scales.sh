#!/usr/bin/env bash
# A PNG of 16 bits in grey, as scientific cameras and scanners write it, is read as 8 bits.
# One would guess: the upper eight bits, in each library.
# What happens: OpenCV's imread gives these (51 to 204 here); Pillow's convert("L") cuts at 255, so that the
# whole face is white (255 to 255), without a warning; convert("RGB") does the same.
# Source: Pillow 13.0.0 (mode I;16), opencv-python-headless 4.14.0.94, run.
# Why it matters: data loaders call convert("L") or convert("RGB") on whatever they open. A set with some
# files of 16 bits has as many white pictures, each with a label.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q opencv-python-headless==4.14.0.94 pillow==13.0.0 numpy==2.4.6
own/bin/python - <<'PYTHON'
import cv2
import numpy as np
import PIL
from PIL import Image

face = np.linspace(0.2 * 65535, 0.8 * 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
Image.fromarray(face).save("face.png")
with Image.open("face.png") as picture:
    mode = picture.mode
    pillow, colour = (np.asarray(picture.convert(each)) for each in ("L", "RGB"))
opencv = cv2.imread("face.png", cv2.IMREAD_GRAYSCALE)
print(
    f"Pillow {PIL.__version__} ({mode}): {pillow.min()} to {pillow.max()}, in RGB {colour.min()}; "
    f"OpenCV {cv2.__version__}: {opencv.min()} to {opencv.max()}"
)
assert pillow.min() == 255 and colour.min() == 255 and (opencv.min(), opencv.max()) == (51, 204)
PYTHON
