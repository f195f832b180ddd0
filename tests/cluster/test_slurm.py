"""A sweep on a real Slurm: what the cluster refuses is named, and what is there stays."""

import os

import pytest

from tests.cluster.one_node_slurm import LONGEST_MINUTES, one_node, reason_against

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(bool(reason_against()), reason=reason_against()),
]

LIGHT = '''"""A session that imports nothing heavy."""

import json
import os
from pathlib import Path


def open_chapter(name, values):
    output = Path(os.environ["FER_OUTPUT"])
    metric = {"value": values["seed"], "low": values["seed"] - 1, "high": values["seed"] + 1}
    (output / "record.json").write_text(json.dumps({"figures": {}, "tables": {}}))
    (output / "metrics.json").write_text(json.dumps({"throws": metric}))
'''
PROFILE = """\
executor: slurm
jobs: 4
latency-wait: 20
slurm-requeue: true
slurm-no-account: true
slurm-status-command: squeue
slurm-init-seconds-before-status-checks: 2
seconds-between-status-checks: 2
default-resources:
  slurm_partition: main
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with one_node(tmp_path_factory.mktemp("slurm")) as name:
        yield name


@pytest.fixture
def on_cluster(clone, tmp_path):
    """Calls `ferbook sweep` with a profile for this cluster."""
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "config.yaml").write_text(PROFILE)
    (clone.root / "book" / "light.py").write_text(LIGHT)
    return ("sweep", "throws", "--profile", "smoke", "--executor", str(tmp_path / "profile"))


def allow(clone, minutes):
    """Say in the chapter what a job takes."""
    file = clone.root / "book" / "throws" / "chapter.py"
    text = file.read_text().replace("import Chapter\n", "import Chapter, Resources\n")
    asked = f"    resources=Resources(cores=1, memory=0.5, minutes={minutes}),\n    learn="
    file.write_text(text.replace("    learn=", asked))


def light(clone, *cells):
    type(clone)(clone.root, {}, "book.light").write_chapter("throws", *cells)


def test_what_the_cluster_refuses_is_named_and_what_is_there_stays(node, clone, on_cluster):
    allow(clone, minutes=LONGEST_MINUTES + 1)
    light(clone)
    told = clone.ferbook(*on_cluster, "-p", "seed=0..1", expect=1)
    for run in ("smoke-seed-0", "smoke-seed-1"):
        refusal = "refused by the cluster: Batch job submission failed: Requested time limit is invalid"
        assert f"run '{run}' is left out: {refusal}" in told
    assert "2 of 2 runs are missing; the same command goes on" in told
    assert (clone.root / "runs" / "smoke-seed-0" / "run.yaml").exists() and os.listdir(clone.root / "runs")
