#!/usr/bin/env bash
# A notebook calls a magic that nothing has loaded: %memit without %load_ext memory_profiler.
# One would guess: papermill's error names the magic, as that of nbclient does, on which it is built.
# What happens: IPython answers with an empty traceback and prints the words on stderr. papermill builds its
# message from the traceback, so it reads 'Exception encountered at "In [1]":' and ends; evalue is empty, too.
# Logs of a sweep hold no cause.
# Source: papermill 2.7.0 beside nbclient 0.11.0, run.
# Why it matters: our chapters run through papermill; our engine prints a failed cell's stderr for this.
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
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
notebook = new_notebook(cells=[new_code_cell("%memit 1")], metadata={"kernelspec": kernel})
nbformat.write(notebook, "lesson.ipynb")
try:
    nbclient.NotebookClient(nbformat.read("lesson.ipynb", 4)).execute()
except nbclient.exceptions.CellExecutionError as fault:
    of_client = str(fault)
try:
    papermill.execute_notebook("lesson.ipynb", "done.ipynb", kernel_name="python3", progress_bar=False)
except papermill.PapermillExecutionError as fault:
    of_papermill, evalue = str(fault), fault.evalue
print(f"nbclient {version('nbclient')} names the magic: {'memit` not found' in of_client}")
print(f"papermill {version('papermill')}: {of_papermill.split()!r}; evalue {evalue!r}")
assert "Line magic function `%memit` not found" in of_client
assert "memit" not in of_papermill and "UsageError" not in of_papermill
PYTHON
