"""A new chapter: a folder that passes every check, with a metric to begin with, and its line in the table of
contents.
"""

import re
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ferbook import paths
from ferbook.book import book, forget, load_chapter, name_fault
from ferbook.errors import BookError
from ferbook.files import write_atomically
from ferbook.notebook import COMPARED_TAG, PARAMETERS_TAG, parameters_source

_CHAPTER = '''"""Chapter ``{name}``: what it takes, and what the profiles change."""

from typing import Annotated

from pydantic import Field

{imports}


class {model}({base}):
    """Chapter ``{name}``: say here what it is about."""

    cases: Annotated[int, Field(ge=2, le=1_000_000, description="cases looked at")] = 100
{seed}

CHAPTER = Chapter(
    title="{title}",
    parameters={model},
    key_metrics=("cases",),
    learn="what this chapter is about",
    profiles={{"smoke": {{"cases": 10}}}},
)
'''

_STUDY = '''"""What only the chapter ``{name}`` computes."""

import numpy as np

from ferbook.estimate import Estimate


def cases(number: int, seed: int) -> np.ndarray:
    """What is looked at (number,); put your own in the place of this."""
    return np.random.default_rng(seed).normal(size=number)


def measure(found: np.ndarray) -> dict[str, Estimate]:
    """The chapter's metrics."""
    return {{
        "cases": Estimate(len(found), unit="count"),
        "mean": Estimate(float(found.mean()), n=len(found), why="the first draft has no interval"),
    }}
'''

_FIGURES = '''"""What the chapter ``{name}`` draws."""

import numpy as np
import pandas as pd
from matplotlib import pyplot

from ferbook.page.style import BLUE, INK, Drawn


def spread(found: np.ndarray) -> Drawn:
    """The cases as a histogram, with their mean. Data: ``value``."""
    figure, axes = pyplot.subplots(figsize=(5, 2.5))
    axes.hist(found, color=BLUE, label="cases")
    axes.axvline(found.mean(), color=INK, linestyle="--", label="mean")
    axes.set(xlabel="value", ylabel="cases")
    figure.legend(loc="outside upper left", ncols=2)
    side = "above" if found.mean() > 0 else "not above"
    return Drawn(
        figure,
        pd.DataFrame({{"value": found}}),
        f"A histogram of {{len(found)}} cases, and a dashed line at their mean.",
        f"The cases spread to both sides; their mean lies {{side}} zero.",
    )
'''

_CELLS = {
    "title": "# <!-- title -->\n\n**What is asked, in plain words?**\n\nSay why it matters.",
    "in-short": """## In short

**The answer, in a sentence.** The mean is {mean}.

<!-- key figure: spread -->

| claimed | found here | how sure |
|---|---|---|
| what is claimed | the mean is {mean} | {{metric}}`{name}.cases` cases |
| what else | not asked yet | – |

<!-- key numbers -->

<!-- reading -->""",
    "parameters": "{parameters}",
    "open": """from book.{name} import figures, study
from {session}.session import open_chapter

run = open_chapter("{name}", globals())
p = run.params""",
    "look": "## Look at the cases\n\n{{figure}}`spread` shows {{metric}}`{name}.cases` cases.",
    "measure": """found = study.cases(p.cases, p.seed)
run.save_metrics(study.measure(found))
run.figure("spread", figures.spread, found)""",
    "by-hand": """mean = sum(found) / len(found)
assert abs(mean - run.metrics["mean"].value) < 1e-9
print(run.metrics["cases"].value)""",
    "conclude": "## What we can conclude\n\nThe mean is {mean}. Say what follows from it, and what does not.",
    "exercises": """## Exercises

1. *(Seconds.)* More cases: `ferbook run {name} -p cases=1000`. Does the mean move?

:::{{dropdown}} What to expect
A little, towards zero.
:::

2. *(Seconds.)* Fewer: `ferbook run {name} -p cases=10`. And now?

:::{{dropdown}} What to expect
More, to either side.
:::

3. *(Seconds.)* Another seed: `ferbook run {name} -p seed=1`. Which numbers change?

:::{{dropdown}} What to expect
All that come of the cases, by luck alone.
:::""",
}
_CODE = {"parameters": [PARAMETERS_TAG], "open": [], "measure": [], "by-hand": [COMPARED_TAG]}
"""The cells of code, with their tags."""


def _model() -> dict[str, str]:
    """The chapter's model of parameters: the base of the book's own models where it has such, and the seed
    where that base lacks it.
    """
    file = paths.pages() / "parameters.py"
    if file.exists() and "class ChapterParameters(" in file.read_text(encoding="utf-8"):
        own, chapter = "from book.parameters import ChapterParameters", "from ferbook.book import Chapter"
        return {"base": "ChapterParameters", "seed": "", "imports": f"{own}\n{chapter}"}
    shared_imports = "from ferbook.book import Chapter\nfrom ferbook.parameters import Parameters, SeedField"
    return {"base": "Parameters", "seed": "    seed: SeedField = 0\n", "imports": shared_imports}


def _notebook(name: str, parameters: dict[str, object]) -> nbformat.NotebookNode:
    words = {
        "name": name,
        "mean": f"{{metric}}`{name}.mean`",
        "parameters": parameters_source(parameters),
        "session": "book" if (paths.pages() / "session.py").exists() else "ferbook",
    }
    cells = []
    for key, text in _CELLS.items():
        source, tags = text.format(**words), _CODE.get(key)
        if tags is None:
            cells.append(new_markdown_cell(source, id=key))
        else:
            cells.append(new_code_cell(source, id=key, metadata={"tags": tags} if tags else {}))
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def _with_line(toc: str, page: str) -> str:
    """``_toc.yml`` with one more page, behind the last chapter that it has."""
    chapters = [f"book/{name}/{name}" for name in (*book().chapters, *book().faults)]
    lines = toc.splitlines()
    places = [number for number, line in enumerate(lines) if line.partition("file:")[2].strip() in chapters]
    if not places:
        places = [number for number, line in enumerate(lines) if re.match(r"\s*- file:", line)]
    if not places:
        raise BookError(f"_toc.yml lists no page behind which a chapter could stand; add `- file: {page}`")
    line = lines[places[-1]]
    lines.insert(places[-1] + 1, f"{line[: line.index('-')]}- file: {page}")
    return "\n".join(lines) + "\n"


def write_chapter(name: str) -> Path:
    """Write ``book/<name>/`` and its line in ``_toc.yml``; returns the folder.

    Raises BookError for a name that cannot be used or is taken, and where the table of contents has no place
    for it; nothing is written then.
    """
    names = {*book().chapters, *book().faults}
    folder = paths.pages() / name
    others = [other for other in names if other.lower() == name.lower()] or (
        [name] if folder.exists() else []
    )
    if fault := name_fault(name, others):
        raise BookError(fault)
    words = {
        "name": name,
        "model": "".join(part.capitalize() for part in name.split("_")) + "Parameters",
        "title": name.replace("_", " ").capitalize(),
        **_model(),
    }
    toc = _with_line(paths.toc().read_text(encoding="utf-8"), f"book/{name}/{name}")
    write_atomically(folder / "chapter.py", _CHAPTER.format(**words))
    write_atomically(folder / "study.py", _STUDY.format(**words))
    write_atomically(folder / "figures.py", _FIGURES.format(**words))
    model = load_chapter(folder / "chapter.py").parameters
    text = nbformat.writes(_notebook(name, model().model_dump())) + "\n"
    write_atomically(folder / f"{name}.ipynb", text)
    write_atomically(paths.toc(), toc)
    forget()
    return folder
