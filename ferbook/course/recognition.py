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


def as_text(text: str) -> str:
    """Text that can be written as UTF-8: what cannot, such as half a surrogate pair, becomes its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


def recognition(content: bytes) -> dict[str, object]:
    """What is told of a file's content. Raises ValueError, saying why, where it is no notebook of format 4.

    The notebook is made anew, in format 4.4: outputs, attachments and all other metadata are left out.
    """
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except ValueError as fault:
        raise ValueError(f"not a readable notebook ({type(fault).__name__})") from fault
    version = document.get("nbformat", 4) if isinstance(document, dict) else 4
    if version != 4:
        raise ValueError(f"of notebook format {as_text(str(version)[:20])}; 4 is read")
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list):
        raise ValueError("not a readable notebook (no list of cells)")
    if len(cells) > CELL_LIMIT:
        raise ValueError(f"{len(cells)} cells; a notebook has at most {CELL_LIMIT}")
    metadata = _part(_part(document, "metadata"), OUR_METADATA)
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}}
    notebook["cells"] = [_cell(cell, number) for number, cell in enumerate(cells, 1)]
    short = {
        name: as_text(str(metadata[name])[:_LONGEST_NAME])
        for name in ("assignment", "variant")
        if name in metadata
    }
    return {"said": short, "notebook": notebook}


def _part(node: object, name: str) -> dict:
    """What stands under a name, where it is a dict."""
    part = node.get(name) if isinstance(node, dict) else None
    return part if isinstance(part, dict) else {}


def _cell(node: object, number: int) -> dict[str, object]:
    kind = node.get("cell_type") if isinstance(node, dict) else None
    source = node.get("source") if isinstance(node, dict) else None
    lines = [source] if isinstance(source, str) else source
    whole = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    if kind not in ("code", "markdown", "raw") or not whole:
        raise ValueError(f"not a readable notebook (cell {number} has no kind or no source)")
    name = _part(_part(node, "metadata"), "nbgrader").get("grade_id")
    metadata = {"nbgrader": {"grade_id": as_text(name[:_LONGEST_NAME])}} if isinstance(name, str) else {}
    more = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": metadata, "source": as_text("".join(lines)), **more}


def main() -> None:
    """Tell of the file on standard input."""
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    try:
        answer = recognition(sys.stdin.buffer.read())
    except (MemoryError, RecursionError) as fault:
        answer = {"reason": f"not a readable notebook ({type(fault).__name__})"}
    except ValueError as fault:
        answer = {"reason": str(fault)}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
