"""The attacks in ``attacks/``: read, handed in, and told on a page.

``python tests/ferbook/attack_suite.py`` writes the page anew.
"""

import json
import os
from pathlib import Path

import nbformat
import yaml

from ferbook.course.source import is_written

FOLDER = Path(__file__).parent / "attacks"
PAGE = FOLDER.parents[2] / "book" / "course_attacks.md"
RECORD = FOLDER / "other_graders.yaml"
"""What other graders made of the attacks by a file and by a solution (``other_graders.py``)."""
NO_NAME = "cannot be a student's"
"""Why work is not judged whose folder has an impossible name."""


def attacks(kind: str) -> dict[str, dict]:
    """The attacks of a kind, by name."""
    return yaml.safe_load((FOLDER / f"{kind}.yaml").read_text(encoding="utf-8"))


def write_file(folder: Path, notebook, attack: dict) -> None:
    """What an attack by a file hands in, in a student's folder; ``notebook`` is that student's, solved."""
    folder.mkdir(parents=True)
    name = bytes.fromhex(attack.get("file_bytes", b"dice.ipynb".hex()))
    place = os.fsencode(folder) + b"/" + name
    if "prose" in attack:
        next(cell for cell in notebook.cells if is_written(cell)).source = "PROSE"
    text = json.dumps(json.loads(nbformat.writes(notebook)) | json.loads(attack.get("notebook", "{}")))
    text = text.replace('"PROSE"', attack.get("prose", ""))
    if "repeat" in attack:
        part, often = attack["repeat"]
        text = attack.get("before", "") + part * often + attack.get("after", "")
    if "link" in attack:
        os.symlink(attack["link"], place)
    elif attack.get("pipe"):
        os.mkfifo(place)
    elif attack.get("folder"):
        os.mkdir(place)
    else:
        Path(os.fsdecode(place)).write_text(attack.get("content", text), encoding="utf-8")
    if "package" in attack:
        (folder / "__init__.py").write_text(attack["package"], encoding="utf-8")
    if "length" in attack:
        os.truncate(place, attack["length"])
    for number in range(1, attack.get("copies", 1)):
        (folder / f"{number}.ipynb").write_text(text, encoding="utf-8")


def page() -> str:
    """The page that tells what the isolation was tried against: ``attacks/page.md`` with its tables."""
    calls, code, solutions, files = map(attacks, ("calls", "code", "solutions", "files"))
    record = yaml.safe_load(RECORD.read_text(encoding="utf-8"))
    nbgrader, otter = (pin.replace("==", " ") for pin in record["versions"])
    rows = {
        "files": [
            (name, _outcome(attack), record["files"].get(name, {}).get("nbgrader", "–"))
            for name, attack in files.items()
        ],
        "solutions": [
            (
                attack["tries"],
                _plain(attack["told"]) or "no points",
                *(
                    record["solutions"].get(name, {}).get(grader, "–")
                    for grader in ("nbgrader", "otter-grader")
                ),
            )
            for name, attack in solutions.items()
        ],
        "code": [(name, _plain(attack["raised"])) for name, attack in code.items()],
        "calls": [(f"`{name}`", attack["tries"]) for name, attack in calls.items()],
    }
    tables = {kind: "\n".join(f"| {' | '.join(row)} |" for row in each) for kind, each in rows.items()}
    template = (FOLDER / "page.md").read_text(encoding="utf-8")
    return template.format(every=sum(map(len, rows.values())), nbgrader=nbgrader, otter=otter, **tables)


def _outcome(attack: dict) -> str:
    if attack.get("points"):
        return "keeps all its points"
    return f"not judged: {_plain(attack.get('told', NO_NAME))}"


def _plain(pattern: str) -> str:
    """A regular expression as a reader's text."""
    return pattern.replace("|", " or ").replace("\\\\", "\\")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
