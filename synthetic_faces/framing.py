"""How a face lies in its picture, in metres of the average synthetic face; readers frame real ones alike."""

EYES_TO_LIPS = 0.0664
"""Height of the line of the eyes above the lips."""

EYE_TO_EYE = 0.062

HALF_SIDE = 0.084
"""Half the side of a picture: lab and micro, and all that a detector or landmarks frame."""

DOWN = 0.45
"""Where the middle of a picture lies on the way from the eyes, 0, to the lips, 1."""
