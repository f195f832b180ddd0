"""A contact sheet: many pictures of a face set at a glance, as one picture file."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from fer_lib.faces.faceset import UNLABELLED, FaceSet
from ferbook.errors import DataError

_TEXT_WIDTH = 90


def contact_sheet(faces: FaceSet, columns: int = 12, seed: int = 0) -> bytes:
    """A PNG file with ``columns`` pictures of each emotion, of as many people as possible, one row per
    emotion.

    Of a sequence its last picture is shown, which is the strongest where sequences run from neutral to apex;
    where the table knows the ``apex``, the picture nearest to it. Sets of clips end with one clip per row.
    Pictures below 96 pixels are doubled. Raises DataError for a set without pictures.
    """
    if not len(faces):
        raise DataError(f"face set {faces.name!r} holds no pictures to show")
    rng = np.random.default_rng(seed)
    rows = [
        (emotion or "not labelled", _drawn(faces, emotion, columns, rng))
        for emotion in (*faces.classes, UNLABELLED)
    ]
    rows += [("a sequence", clip) for clip in _clips(faces, columns, rng)]
    return _mosaic(faces, [row for row in rows if len(row[1])], columns)


def _drawn(faces: FaceSet, emotion: str, columns: int, rng: np.random.Generator) -> np.ndarray:
    table = faces.table[faces.table["emotion"].eq(emotion)]
    if "apex" in table:
        table = table.assign(away=(table["frame"] - table["apex"]).abs()).sort_values(
            "away", ascending=False, kind="stable"
        )
    table = table.groupby(["subject", "sequence"]).tail(1)
    table = table.iloc[rng.permutation(len(table))]
    again = table["subject"].duplicated() & table["subject"].ne("")
    return table.index.to_numpy()[np.argsort(again.to_numpy(), kind="stable")][:columns]


def _clips(faces: FaceSet, columns: int, rng: np.random.Generator) -> list[np.ndarray]:
    sequences = faces.table.groupby(["subject", "sequence"])
    moving = [clip for _, clip in sequences if clip["frame"].nunique() > 1]
    clips = []
    for number in rng.permutation(len(moving))[:3]:
        clip = moving[number].sort_values("frame", kind="stable").index.to_numpy()
        places = np.unique(np.linspace(0, len(clip) - 1, columns).round().astype(int))
        clips.append(clip[places])
    return clips


def _mosaic(faces: FaceSet, rows: list[tuple[str, np.ndarray]], columns: int) -> bytes:
    scale = 2 if max(faces.size) < 96 else 1
    height, width = (scale * side for side in faces.size)
    sheet = Image.new("L", (_TEXT_WIDTH + columns * (width + 2), len(rows) * (height + 2)), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for line, (label, indices) in enumerate(rows):
        top = line * (height + 2)
        draw.text((4, top + height // 2 - 8), label, fill=0, font=font)
        for place, picture in enumerate(faces.gather(indices)):
            image = Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST)
            sheet.paste(image, (_TEXT_WIDTH + place * (width + 2), top))
    stream = io.BytesIO()
    sheet.save(stream, "PNG", optimize=True)
    return stream.getvalue()
