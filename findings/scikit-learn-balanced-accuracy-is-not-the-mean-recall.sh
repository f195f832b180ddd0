#!/usr/bin/env bash
# Balanced accuracy is documented as the mean of the recalls of all classes, and people call both UAR.
# One would guess: balanced_accuracy_score(t, p) == recall_score(t, p, average="macro").
# What happens: a class that is predicted and never shown counts as 0 in the second and is left out of the
# first, so one fold has .83 and .56. Each warns, in other words. f1_score(average="macro") goes with recall.
# Source: scikit-learn 1.9.1, sklearn.metrics, run.
# Why it matters: with one person left out at a time, as in micro-expressions, most folds lack a class, so
# papers that say UAR or UF1 by one of them cannot be compared with those that use the other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q scikit-learn==1.9.1 numpy==2.4.6
own/bin/python - <<'PYTHON'
import warnings

import sklearn
from sklearn.metrics import balanced_accuracy_score, f1_score, recall_score

warnings.simplefilter("ignore")
shown, said = ["joy"] * 3 + ["fear"] * 3, ["joy", "joy", "anger"] + ["fear"] * 3
balanced = balanced_accuracy_score(shown, said)
recall, f1 = recall_score(shown, said, average="macro"), f1_score(shown, said, average="macro")
print(f"scikit-learn {sklearn.__version__}: balanced {balanced:.3f}, recall {recall:.3f}, F1 {f1:.3f}")
assert abs(balanced - 5 / 6) < 1e-9 and abs(recall - 5 / 9) < 1e-9 and abs(f1 - 0.6) < 1e-9
PYTHON
