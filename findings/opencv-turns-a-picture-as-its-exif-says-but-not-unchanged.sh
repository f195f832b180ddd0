#!/usr/bin/env bash
# A portrait from a telephone is stored lying, with an orientation in its EXIF.
# One would guess: a library either turns it or does not.
# What happens: cv2.imread turns it, JPEG and PNG alike, in colour and in grey, but not with IMREAD_UNCHANGED,
# the flag that people use to keep 16 bits or alpha. Pillow's Image.open never turns it.
# Source: opencv-python-headless 4.14.0.94, Pillow 13.0.0, run.
# Why it matters: landmarks and boxes that one script found are drawn or cropped by another that reads with
# another flag or library: faces lie on their side, and left and right of the face become top and bottom.
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

picture, exif = Image.fromarray(np.zeros((40, 60, 3), np.uint8)), Image.Exif()
exif[0x0112] = 6
flags = {"colour": cv2.IMREAD_COLOR, "grey": cv2.IMREAD_GRAYSCALE, "unchanged": cv2.IMREAD_UNCHANGED}
for name in ("face.jpg", "face.png"):
    picture.save(name, exif=exif)
    shapes = {each: cv2.imread(name, flag).shape[:2] for each, flag in flags.items()}
    shapes["Pillow"] = np.asarray(Image.open(name)).shape[:2]
    print(f"OpenCV {cv2.__version__}, Pillow {PIL.__version__}, {name}: {shapes}")
    assert shapes == {"colour": (60, 40), "grey": (60, 40), "unchanged": (40, 60), "Pillow": (40, 60)}
PYTHON
