"""What a real set should hold, by its publication, beside what a copy of it holds."""

from collections.abc import Mapping

from fer_lib.errors import ParameterError
from fer_lib.faces.faceset import LABELS, UNLABELLED, FaceSet


def published_table(faces: FaceSet, published: Mapping[str, int]) -> list[dict]:
    """One dict per entry of ``published``: ``what``, ``published``, ``found``.

    Entries count ``pictures``, ``subjects``, ``sequences`` or ``labelled sequences``, or name a label:
    ``sequences of anger``, ``pictures of anger`` (a neutral first frame does not make its sequence neutral).
    Raises ParameterError for an entry that is none of these.
    """
    return [
        {"what": what, "published": count, "found": _count(faces, what)} for what, count in published.items()
    ]


def _count(faces: FaceSet, what: str) -> int:
    table = faces.table
    kind, _, label = what.partition(" of ")
    if label and label not in LABELS:
        raise ParameterError(f"published count {what!r}: {label!r} is not a label; {', '.join(LABELS)}")
    if what == "subjects":
        return table.loc[table["subject"].ne(""), "subject"].nunique()
    if what == "labelled sequences":
        return table.loc[~table["emotion"].isin((UNLABELLED, "neutral")), "sequence"].nunique()
    if kind in ("pictures", "sequences"):
        part = table[table["emotion"].eq(label)] if label else table
        return len(part) if kind == "pictures" else part["sequence"].nunique()
    raise ParameterError(
        f"published count {what!r} is not understood; it counts pictures, subjects, sequences or labelled sequences"
    )
