"""Reads what somebody handed in as a notebook, in a process of its own with limits, and tells of it only what
a judge needs: kinds, names and sources of its cells. The standard library alone: it starts for every file.

``python -m ferbook.course.recognition`` reads the file on standard input and prints JSON: the ``reason`` why
it is no notebook; or what it ``said``, which assignment and variant it claims to be, and the ``notebook``.
"""

import json
import resource
import sys

OUR_METADATA = "ferbook_course"
"""A released notebook's metadata under which it says which assignment and variant it is."""
CELL_LIMIT = 2000
_LONGEST_NAME = 200
_MEMORY, _SECONDS = 2 * 2**30, 60


def as_text(told: str) -> str:
    """Text that can be written as UTF-8: what cannot, such as half a surrogate pair, becomes its escape."""
    return told.encode("utf-8", "backslashreplace").decode()


def recognition(content: bytes) -> dict[str, object]:
    """What is told of a file's content. Raises ValueError, saying why, where it is no notebook of format 4.

    The notebook is made anew, in format 4.4: outputs, attachments and all other metadata are left out.
    """
    try:
        told = json.loads(content.decode("utf-8-sig"))
    except ValueError as fault:
        raise ValueError(f"not a readable notebook ({type(fault).__name__})") from fault
    version = told.get("nbformat", 4) if isinstance(told, dict) else 4
    if version != 4:
        raise ValueError(f"of notebook format {as_text(str(version)[:20])}; 4 is read")
    cells = told.get("cells") if isinstance(told, dict) else None
    if not isinstance(cells, list):
        raise ValueError("not a readable notebook (no list of cells)")
    if len(cells) > CELL_LIMIT:
        raise ValueError(f"{len(cells)} cells; a notebook has at most {CELL_LIMIT}")
    said = _part(_part(told, "metadata"), OUR_METADATA)
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}}
    notebook["cells"] = [_cell(cell, number) for number, cell in enumerate(cells, 1)]
    short = {
        name: as_text(str(said[name])[:_LONGEST_NAME]) for name in ("assignment", "variant") if name in said
    }
    return {"said": short, "notebook": notebook}


def _part(told: object, name: str) -> dict:
    """What stands under a name, where it is a dict."""
    part = told.get(name) if isinstance(told, dict) else None
    return part if isinstance(part, dict) else {}


def _cell(told: object, number: int) -> dict[str, object]:
    kind = told.get("cell_type") if isinstance(told, dict) else None
    source = told.get("source") if isinstance(told, dict) else None
    lines = [source] if isinstance(source, str) else source
    whole = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    if kind not in ("code", "markdown", "raw") or not whole:
        raise ValueError(f"not a readable notebook (cell {number} has no kind or no source)")
    name = _part(_part(told, "metadata"), "nbgrader").get("grade_id")
    given = {"nbgrader": {"grade_id": as_text(name[:_LONGEST_NAME])}} if isinstance(name, str) else {}
    more = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": given, "source": as_text("".join(lines)), **more}


def main() -> None:
    """Tell of the file on standard input."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    try:
        told = recognition(sys.stdin.buffer.read())
    except (MemoryError, RecursionError) as fault:
        told = {"reason": f"not a readable notebook ({type(fault).__name__})"}
    except ValueError as fault:
        told = {"reason": str(fault)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
