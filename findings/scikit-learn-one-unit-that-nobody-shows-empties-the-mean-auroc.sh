#!/usr/bin/env bash
# A test set of action units has a unit that no picture shows, and the mean AUROC over units is asked for.
# One would guess: an error that names the unit, as roc_auc_score gave for years, or a mean over the others.
# What happens: a warning that names no unit, and the mean is nan, however well all other units are told.
# With one column alone it is nan too; `except ValueError`, as older code has it, catches nothing any more.
# Source: scikit-learn 1.9.1, sklearn.metrics.roc_auc_score, run.
# Why it matters: rare units (AU9, AU20) are missing in many folds; a nan in one fold is a nan in the table,
# and np.nanmean over folds then leaves out whole folds instead of one unit.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q scikit-learn==1.9.1 numpy==2.4.6
own/bin/python - <<'PYTHON'
import warnings

import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score

shown = np.array([[1, 0], [0, 0], [1, 0], [0, 0]])
scores = np.array([[0.9, 0.1], [0.2, 0.2], [0.8, 0.3], [0.1, 0.4]])
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    both, first = roc_auc_score(shown, scores, average="macro"), roc_auc_score(shown[:, 0], scores[:, 0])
print(f"scikit-learn {sklearn.__version__}: both {both}, the first alone {first}; {told[0].message}")
assert np.isnan(both) and first == 1 and "1" not in str(told[0].message)
PYTHON
