#!/usr/bin/env bash
# A table of faces has a column of people, some of whom are called NA, None, nan or n/a (initials, a code).
# One would guess: names are text, so six people are six people; dtype=str makes sure of it.
# What happens: four of the six become missing values, with dtype=str too, and groupby leaves their rows
# out without a word: a mean over people is one over the two whose names are none of a list. Null stays, and
# NULL and null do not. keep_default_na=False reads all six.
# Source: pandas 3.1.1, read_csv and DataFrame.groupby, run.
# Why it matters: splits by person, counts and means over people lose whole people, and a join by name
# matches all of them with one another.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q pandas==3.1.1 numpy==2.4.6
own/bin/python - <<'PYTHON'
import io

import pandas as pd

text = "person,smile\nNA,1\nNone,2\nnan,3\nn/a,4\nNull,5\nAnn,6\n"
plain = pd.read_csv(io.StringIO(text), dtype={"person": str}).groupby("person")["smile"].mean()
kept = pd.read_csv(io.StringIO(text), keep_default_na=False).groupby("person")["smile"].mean()
print(f"pandas {pd.__version__}: {plain.to_dict()}; with keep_default_na=False {len(kept)} people")
assert list(plain.index) == ["Ann", "Null"] and len(kept) == 6
PYTHON
