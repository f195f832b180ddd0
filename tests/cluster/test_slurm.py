"""Runs on a real Slurm: a job is killed, the node is drained and comes back, and nothing is lost or made
twice; what the cluster refuses is named.
"""

import json
import os
import subprocess

import psutil
import pytest

from ferbook import paths
from tests.cluster.one_node_slurm import ACCOUNTS, LONGEST_MINUTES, one_node, reason_against

pytestmark = [pytest.mark.cluster, pytest.mark.skipif(bool(reason_against()), reason=reason_against())]

RUNS = range(12)
# Seconds until the first job must have come: on a busy machine each starts Snakemake twice.
PATIENCE = 900
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
SACCT = PROFILE.replace("squeue", "sacct")
SHIPPED = (paths.WORKFLOW / "slurm" / "config.yaml").read_text(encoding="utf-8")
# Several short runs are one job: Slurm and Snakemake take longer for one than the chapter.
GROUPS = """\
cores: 6
groups: [throws=batch]
group-components: [batch=3]
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with one_node(tmp_path_factory.mktemp("slurm")) as name:
        yield name


@pytest.fixture
def on_cluster(clone, tmp_path):
    """Calls `ferbook run` with a profile for this cluster."""
    (tmp_path / "profile").mkdir()
    (tmp_path / "profile" / "config.yaml").write_text(PROFILE)
    (clone.root / "book" / "light.py").write_text(LIGHT)
    return ("run", "throws", "--profile", "smoke", "--executor", str(tmp_path / "profile"))


def allow(clone, minutes):
    """Say in the chapter what a job takes."""
    file = clone.root / "book" / "throws" / "chapter.py"
    text = file.read_text().replace("import Chapter\n", "import Chapter, Resources\n")
    asked = f"    resources=Resources(cores=1, memory=0.5, minutes={minutes}),\n    learn="
    file.write_text(text.replace("    learn=", asked))


def light(clone, *cells):
    type(clone)(clone.root, {}, "book.light").write_chapter("throws", *cells)


def states(clone):
    files = {run: clone.result(f"smoke-seed-{run}", "throws") / "DONE.json" for run in RUNS}
    return {run: file.read_text() for run, file in files.items() if file.exists()}


def slurm(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_a_killed_job_and_a_drained_node_lose_nothing(node, clone, gate, on_cluster, tmp_path):
    (tmp_path / "profile" / "config.yaml").write_text(PROFILE + GROUPS)
    allow(clone, minutes=10)
    once = f"os.mkdir({str(tmp_path / 'once')!r})"
    first = f"import os\ntry:\n    {once}\nexcept FileExistsError:\n    pass\nelse:\n"
    light(clone, first + "\n".join(f"    {line}" for line in gate.cell.splitlines()))
    process = clone.start(*on_cluster, "-p", "seed=0..11")
    job = psutil.Process(gate.reached(process, PATIENCE)).environ()["SLURM_JOB_ID"]
    slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    assert slurm("sinfo", "-h", "-o", "%t").strip() in ("drng", "drain")
    slurm("scancel", job)
    slurm("scontrol", "update", f"nodename={node}", "state=resume")
    told = process.communicate()[0]
    assert process.returncode == 1, told
    assert "of 12 runs are missing; the same command goes on" in told
    before = states(clone)
    assert 9 <= len(before) < 12, "three runs are one job"
    why = "is left out: chapter 'throws' ended without a result: killed from outside"
    assert sum(f"run 'smoke-seed-{run}' {why}" in told for run in RUNS) == 1

    told = clone.ferbook(*on_cluster, "-p", "seed=0..11")
    after = states(clone)
    assert set(after) == set(RUNS) and "12 runs are up to date" in told
    assert {run: after[run] for run in before} == before, "what was there was not made again"
    assert all(json.loads(state)["inputs"]["parameters"]["seed"] == run for run, state in after.items())
    assert not slurm("squeue", "-h", "-t", "PENDING,RUNNING")


@pytest.mark.parametrize(
    ("profile", "accounts"),
    [(SACCT, ""), (SACCT, ACCOUNTS), (SHIPPED, "")],
    ids=["sacct, nobody keeps accounts", "sacct, slurmdbd does", "the shipped profile"],
)
def test_a_cancelled_job_ends_the_command_by_name(profile, accounts, node, clone, gate, on_cluster, tmp_path):
    if accounts:
        (tmp_path / "sacct").write_text(accounts)
        (tmp_path / "sacct").chmod(0o755)
        clone.environment["PATH"] = f"{tmp_path}:{clone.environment['PATH']}"
    (tmp_path / "profile" / "config.yaml").write_text(profile)
    allow(clone, minutes=10)
    light(clone, gate.cell)
    process = clone.start(*on_cluster)
    job = psutil.Process(gate.reached(process, PATIENCE)).environ()["SLURM_JOB_ID"]
    slurm("scancel", job)
    told = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 1, told
    noticed = f"SLURM-job '{job}' failed, SLURM status is: 'CANCELLED'"
    lost = f"its job {job} is not in Slurm's queue any more: it was cancelled, or is lost"
    assert (noticed if profile == SHIPPED else lost) in told


def test_what_the_cluster_refuses_is_named_and_what_is_there_stays(node, clone, on_cluster):
    allow(clone, minutes=LONGEST_MINUTES + 1)
    light(clone)
    told = clone.ferbook(*on_cluster, "-p", "seed=0..1", expect=1)
    for run in ("smoke-seed-0", "smoke-seed-1"):
        refusal = "refused by the cluster: Batch job submission failed: Requested time limit is invalid"
        assert f"run '{run}' is left out: {refusal}" in told
    assert "2 of 2 runs are missing; the same command goes on" in told
    assert (clone.root / "runs" / "smoke-seed-0" / "run.yaml").exists() and os.listdir(clone.root / "runs")
