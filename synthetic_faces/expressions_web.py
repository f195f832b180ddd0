"""How people show emotions in pictures on the web: FER2013 was gathered there by searching for words of
feeling.

Such pictures are acted for effect or caught in the open: smiles with teeth, shouts and screams with the mouth
wide open, gritted teeth, crying, lowered eyes. The laboratory's prototypes of ``expressions.VARIANTS`` are a
part of them. Shares and intensities are choices of this generator, made by looking at FER2013's training
pictures.
"""

from synthetic_faces.variants import Variant, variants

# Variants of FER2013's seven classes, in the form of ``expressions.VARIANTS``.
NATURAL: dict[str, tuple[Variant, ...]] = {
    "neutral": variants(
        ".46:",
        # What people call neutral: the shadow of a smile, lips that part, a brow that thinks, a mouth that
        # droops or is held shut.
        ".12: 12 .95 .25, 6 .2 .2, 14 .15 .2",
        ".10: 25 .95 .45, 26 .3 .25",
        ".08: 4 .9 .3, 7 .3 .3",
        ".08: 1 .8 .25, 2 .8 .3, 17 .2 .25",
        ".08: 15 .9 .3, 17 .5 .25, 43 .2 .25",
        ".08: 24 .8 .4, 23 .3 .3, 7 .3 .3",
    ),
    "anger": variants(
        # Shouting: the eyes narrow, the teeth are bared to their corners.
        ".28: 4 .9 1, 7 .85 .8, 9 .7 .7, 10 .85 .9, 16 .6 .7, 25 1 1, 27 .85 1, 26 .15 1, 20 .3 .5",
        ".12: 4 .9 1, 5 .5 .5, 7 .4 .5, 25 1 1, 27 .85 1, 26 .15 1, 22 .3 .4, 10 .4 .6",
        # Teeth gritted.
        ".20: 4 .9 1, 7 .8 .8, 9 .6 .65, 10 .9 .9, 20 .6 .7, 25 1 1, 16 .9 .9, 6 .2 .4",
        ".14: 4 .92 1, 7 .75 .8, 23 .92 .9, 17 .6 .6, 5 .3 .4, 9 .25 .4",
        ".14: 4 .92 1, 7 .75 .85, 24 .92 .9, 17 .6 .6, 15 .25 .4",
        # A frown alone.
        ".12: 4 1 1, 5 .25 .4, 7 .5 .6, 25 .2 .3, 15 .3 .3",
    ),
    "disgust": variants(
        ".44: 9 .97 .95, 4 .2 .4, 7 .6 .6, 17 .7 .6, 15 .4 .5, 23 .2 .4, 10 .35 .5, 43 .2 .5, 6 .3 .4",
        ".40: 10 .97 1, 9 .6 .7, 17 .4 .5, 15 .5 .6, 6 .3 .4, 7 .4 .5, 25 .4 .5",
        # The whole face drawn together, the mouth open.
        ".16: 9 .97 1, 10 .9 .9, 6 .7 .6, 7 .7 .8, 25 .9 .6, 26 .3 .5, 16 .4 .5, 43 .4 .6, 15 .5 .5",
    ),
    "fear": variants(
        # Screaming.
        ".25: 1 .97 1, 2 .5 .6, 4 .92 .85, 5 .85 .85, 20 .8 .75, 25 1 .9, 27 .9 .8, 16 .3 .4",
        ".32: 1 .97 1, 2 .4 .5, 4 .92 .85, 5 .75 .8, 20 .9 .85, 25 .85 .6, 26 .4 .4",
        ".20: 1 .97 1, 4 .9 .85, 2 .4 .5, 5 .85 .85, 24 .4 .4, 17 .3 .3, 20 .3 .5",
        ".08: 1 .9 .9, 2 .6 .6, 5 .95 .9, 25 .9 .6, 26 .9 .6, 4 .8 .7, 20 .6 .6",
        # Wincing.
        ".15: 4 .95 .9, 7 .7 .8, 6 .5 .5, 20 .9 .9, 25 .9 .7, 1 .7 .8, 43 .3 .6",
    ),
    "happiness": variants(
        ".42: 6 .9 .85, 12 .96 1, 25 1 1, 10 .4 .4, 26 .2 .5, 7 .3 .4",
        # Laughing, the eyes nearly shut.
        ".20: 6 .97 1, 12 1 1, 25 1 1, 26 .5 .9, 27 .4 .8, 7 .7 .7, 43 .4 .6, 9 .35 .5, 10 .5 .5",
        ".12: 6 .8 .8, 12 1 1, 25 1 1, 27 .9 .9, 10 .3 .4, 5 .15 .4, 1 .2 .4, 2 .2 .5",
        ".10: 6 .6 .7, 12 .96 .9, 14 .15 .3",
        ".10: 12 .96 .95, 25 1 .9, 10 .3 .3, 2 .2 .4, 1 .2 .3",
        # Held back: dimples in the place of raised corners.
        ".06: 6 .9 .7, 14 .9 .7, 24 .25 .35, 7 .4 .5",
    ),
    "sadness": variants(
        ".28: 1 .95 1, 4 .75 .6, 15 .92 .95, 17 .65 .5, 43 .2 .4",
        # The lids low, the mouth nearly neutral.
        ".24: 1 .8 .8, 4 .6 .5, 43 .4 .5, 15 .5 .5, 7 .2 .3, 14 .2 .3, 17 .2 .3",
        ".14: 6 .6 .5, 15 .97 1, 17 .8 .7, 4 .5 .5, 1 .4 .6",
        # Crying with a square mouth, the eyes pressed shut.
        ".14: 4 .9 .9, 6 .85 .8, 7 .85 .9, 43 .7 .9, 20 .9 .8, 10 .6 .5, 25 1 .9, 26 .4 .8, 27 .4 .7, 1 .5 1",
        # About to cry.
        ".12: 1 .9 .9, 4 .85 .8, 6 .5 .5, 7 .5 .6, 20 .7 .6, 25 .9 .6, 26 .3 .4, 15 .7 .8, 17 .4 .6",
        ".08: 4 .7 .6, 15 .95 1, 17 .9 .7, 14 .2 .35",
    ),
    "surprise": variants(
        ".33: 1 .97 1, 2 .99 1, 5 .95 1, 27 .97 1, 25 1 .8",
        ".22: 1 .97 1, 2 .99 1, 5 .9 1, 26 .97 1, 25 1 .6",
        # Delighted.
        ".10: 1 .95 1, 2 .97 1, 5 .85 .9, 12 .6 .5, 26 .5 1, 27 .4 .9, 25 .9 .7",
        # An O of the lips.
        ".18: 1 .9 1, 2 .95 1, 5 .9 1, 18 .5 .6, 22 .7 .7, 25 1 .6, 26 .8 .7",
        ".08: 5 1 1, 26 .9 1, 25 1 .6, 1 .3 .5",
        # The mouth is shut.
        ".09: 1 .95 1, 2 .97 1, 5 .95 1",
    ),
}
