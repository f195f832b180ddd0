#!/usr/bin/env bash
# A notebook shows an error on purpose, in a cell with the tag raises-exception.
# One would guess: as nbclient and MyST-NB do, papermill goes on and succeeds; or it stops at that cell.
# What happens: it goes on, runs every cell behind it, calls the one with the error completed, and then raises
# PapermillExecutionError all the same. The output has red headings of an error and all results.
# Source: papermill 2.7.0 beside nbclient 0.11.0, run.
# Why it matters: lessons on faces show what a wrong call does. The book builds; a sweep by papermill of the
# same notebook has a failure for each run, after the whole time of each.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q papermill==2.7.0 nbclient==0.11.0 nbformat==5.11.1 ipykernel==7.4.0
own/bin/python - <<'PYTHON'
import logging
from importlib.metadata import version

import nbclient
import nbformat
import papermill
from nbformat.v4 import new_code_cell, new_notebook

logging.disable(logging.WARNING)
cells = [new_code_cell("1 / 0", metadata={"tags": ["raises-exception"]}), new_code_cell("print('behind')")]
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), "lesson.ipynb")
client = nbclient.NotebookClient(nbformat.read("lesson.ipynb", 4))
client.execute()
try:
    papermill.execute_notebook("lesson.ipynb", "done.ipynb", kernel_name="python3", progress_bar=False)
    ended = "succeeds"
except papermill.PapermillExecutionError as fault:
    ended = type(fault).__name__
code = [each for each in nbformat.read("done.ipynb", 4).cells if each.cell_type == "code"]
states = [each.metadata.papermill.status for each in code]
print(f"nbclient {version('nbclient')} succeeds; papermill {version('papermill')}: {ended}, cells {states}")
assert ended == "PapermillExecutionError" and states == ["completed"] * 2
assert code[1].outputs[0].text == client.nb.cells[1].outputs[0].text == "behind\n"
PYTHON
