#!/usr/bin/env bash
# A notebook's figure shows other data than the one stored: a bar chart of accuracies, say.
# One would guess: pytest --nbval, which compares outputs unless --nbval-lax asks for less, fails.
# What happens: it passes. image/png and image/jpeg are left out of the comparison unless --nbdime is given
# too; of a figure only its text/plain counts, '<Figure size ... with 1 Axes>', which is the same. The same
# chart as SVG is compared, character by character, and fails.
# Source: nbval 0.11.0 (plugin.py, skip_compare), matplotlib 3.11.1, run.
# Why it matters: a book of figures whose check is nbval checks none of them; we compare each figure's data as
# a table.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q nbval==0.11.0 nbclient==0.11.0 nbformat==5.11.1 ipykernel==7.4.0
own/bin/pip install -q matplotlib==3.11.1 pytest==9.1.1
own/bin/python - <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version

import nbclient
import nbformat
from nbformat.v4 import new_code_cell, new_notebook

DRAW = """\
%matplotlib inline
%config InlineBackend.figure_formats = ["FORMAT"]
import matplotlib.pyplot as plt
plt.rcParams["svg.hashsalt"] = "same"
plt.bar(["CNN", "LSTM"], [0.66, HEIGHT])
plt.show()"""
kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
passed = {}
for kind in ("png", "svg"):
    source = DRAW.replace("FORMAT", kind)
    cell = new_code_cell(source.replace("HEIGHT", "0.70"))
    notebook = new_notebook(cells=[cell], metadata={"kernelspec": kernel})
    nbclient.NotebookClient(notebook).execute()
    cell.source = source.replace("HEIGHT", "0.07")
    nbformat.write(notebook, f"{kind}.ipynb")
    words = [sys.executable, "-m", "pytest", "-q", "--nbval", "-p", "no:cacheprovider", f"{kind}.ipynb"]
    passed[kind] = subprocess.run(words, capture_output=True).returncode == 0
print(f"nbval {version('nbval')}: another figure passes: {passed}")
assert passed == {"png": True, "svg": False}
PYTHON
