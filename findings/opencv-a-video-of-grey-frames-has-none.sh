#!/usr/bin/env bash
# Frames of a face, in grey as FER2013 and CK+ are, are written as a video with cv2.VideoWriter.
# One would guess: they are written, or write() raises, or says that it failed.
# What happens: write() returns None, isOpened() is True, and a file of 5 KB is there that has no frame; a
# line on stderr for each is all, and nothing once OPENCV_LOG_LEVEL is ERROR. A frame of another size than
# the first is left out in the same way, so a clip is shorter than its table says. isColor=False is for
# grey.
# Source: opencv-python-headless 4.14.0.94, MJPG in AVI, run.
# Why it matters: crops of a tracked face differ by a pixel in size, and row k of the codes is then frame k
# of another moment: onset, apex and offset are shifted.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q opencv-python-headless==4.14.0.94 numpy==2.4.6
own/bin/python - <<'PYTHON'
import os

os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
import cv2
import numpy as np


def frames(name, pictures, **options):
    writer = cv2.VideoWriter(name, cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 64), **options)
    assert writer.isOpened() and {writer.write(each) for each in pictures} == {None}
    writer.release()
    video, count = cv2.VideoCapture(name), 0
    while video.read()[0]:
        count += 1
    return count


grey = [np.full((64, 64), 20 * k, np.uint8) for k in range(10)]
uneven = [np.full((64 - 2 * (k % 2), 64, 3), 20 * k, np.uint8) for k in range(10)]
found = frames("grey.avi", grey), frames("uneven.avi", uneven), frames("told.avi", grey, isColor=False)
print(f"OpenCV {cv2.__version__}: of 10 grey {found[0]}, uneven {found[1]}, isColor=False {found[2]}")
assert found == (0, 5, 10)
PYTHON
