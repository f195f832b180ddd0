"""Jobs for Snakemake: what is run where, and what a cluster's words become."""

import os
import re
import shutil

import pytest

from ferbook import paths, schedule
from ferbook.book import Resources
from ferbook.errors import ChapterError, MissingError, ParameterError
from ferbook.schedule import QueueJob, cluster_messages, finished_file, lost_jobs, profile_of, start_jobs


@pytest.mark.parametrize(
    ("cores", "jobs", "each"),
    [(1, 8, 1), (2, 1, 2), (2, 8, 1), (3, 8, 1), (4, 8, 2), (16, 1, 16), (16, 2, 8), (16, 8, 4), (64, 8, 8)],
)
def test_several_jobs_share_the_cores_and_one_has_all(cores, jobs, each):
    assert schedule.threads_of_each(cores, jobs) == each


@pytest.mark.slow
def test_the_users_own_profiles_of_snakemake_do_not_reach_ours(example, tmp_path, monkeypatch):
    dry = tmp_path / "profiles" / "default" / "config.yaml"  # where Snakemake looks without being told
    dry.parent.mkdir(parents=True)
    dry.write_text("dry-run: true\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SNAKEMAKE_PROFILE", str(dry.parent))
    job = QueueJob("params", "throws", ("params", "throws"), tmp_path / "logs" / "a b.log")
    before = (("params", "throws"),)
    later = QueueJob("runs", "all", ("status", "--all"), tmp_path / "logs" / "runs.log", before)
    resources = {"params": Resources(), "runs": Resources()}
    job.log.parent.mkdir()
    job.log.write_text("of an earlier call\n")
    assert start_jobs(tmp_path, [later, job], resources, cores=1).wait() == 0
    assert "sides of the die" in (text := job.log.read_text()) and "earlier" not in text
    assert "no runs yet" in later.log.read_text()
    times = [finished_file(tmp_path, each.kind, each.name).stat().st_mtime_ns for each in (job, later)]
    assert times == sorted(times)


def test_an_executor_that_is_not_there_is_named_with_what_it_needs(tmp_path, monkeypatch):
    told = r"no executor 'slrum' \(did you mean 'slurm'\?\): there is slurm"
    with pytest.raises(ParameterError, match=told):
        profile_of("slrum")
    own = tmp_path / "mine"
    own.mkdir()
    (own / "config.yaml").write_text("executor: no-such-cluster\n")
    with pytest.raises(MissingError, match=r"needs snakemake-executor-plugin-no-such-cluster, which is not"):
        profile_of(str(own))
    monkeypatch.setattr(schedule, "find_spec", lambda name: object())
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(MissingError, match="needs sbatch, which is not here"):
        profile_of("slurm")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    assert profile_of("slurm") == paths.WORKFLOW / "slurm" and profile_of(str(own)) == own
    monkeypatch.setattr(schedule, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match=r"pip install -c constraints.txt -e '\.\[slurm\]'"):
        profile_of("slurm")


LOG = """\
Error in rule means:
    message: SLURM sbatch failed. The error message was 'sbatch: error: QOSMaxSubmitJobPerUserLimit'.
    sbatch call:
        sbatch --parsable --wrap="output: ended/means/other"
For further error details see the cluster/cloud log and the log files of the involved rule(s).
    jobid: 2
    output: ended/means/laptop-seed-3
[Tue Nov 24 06:56:59 2026]
Error in rule throws:
    message: SLURM-job '7' failed due to a node failure, SLURM status is: 'NODE_FAIL'. Failed nodes will be
    jobid: 7
    output: ended/throws/a
[Tue Nov 24 06:57:59 2026]
Error in rule throws:
    message: None
    output: ended/throws/d
[Tue Nov 24 06:57:59 2026]
Finished jobid: 5 (Rule: throws)
    output: ended/throws/c
"""


def test_what_a_cluster_says_of_a_job_is_found_again():
    messages = cluster_messages(LOG)
    assert messages.pop(("means", "laptop-seed-3")) == "refused by the cluster: QOSMaxSubmitJobPerUserLimit"
    assert messages.keys() == {("throws", "a")} and "status is: 'NODE_FAIL'" in messages["throws", "a"]


GONE = {("means", "a"): "its job 7 is not in Slurm's queue any more: it was cancelled, or is lost"}
GONE |= {("throws", "a"): "its job 8 never starts: BadConstraints"}
QUEUES = {
    "all at work": ("echo 7 None; echo 8 Priority", {}),
    "one is gone, one at work": ("echo 8 None", {}),
    "one is gone, one never starts": ("echo 8 BadConstraints", GONE),
    "no answer": ("echo slurm_load_jobs error: no controller >&2; exit 1", "(slurm_load_jobs error: no cont"),
    "no answer for long": ("exec tail -f /dev/null", "timed out after 0.2 seconds)"),
    "not there": ("", "No such file or directory: 'squeue'"),
}


@pytest.mark.parametrize(("queue", "lost"), QUEUES.values(), ids=QUEUES)
def test_a_job_is_lost_where_slurm_has_none_of_ours_that_may_end(queue, lost, tmp_path, monkeypatch):
    said = "Job 1 has been submitted with SLURM jobid {} (log: /w/.snakemake/slurm_logs/rule_{}/a/{}.log)."
    log = "\n".join(said.format(*each) for each in ((6, "throws", 6), (7, "means", 7), (8, "throws", 8)))
    (tmp_path / "snakemake.log").write_text(log)
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    if queue:
        squeue.write_text(f"#!/bin/sh\n{queue}\n")
        squeue.chmod(0o755)
    monkeypatch.setenv("PATH", str(squeue.parent), prepend=os.pathsep if queue else None)
    monkeypatch.setattr(schedule, "ANSWERING", 0.2 if "tail" in queue else 60)
    if isinstance(lost, str):
        with pytest.raises(ChapterError, match=re.escape(lost)):
            lost_jobs(tmp_path)
        return
    assert lost_jobs(tmp_path) == lost
    done = finished_file(tmp_path, "means", "a")
    done.parent.mkdir(parents=True)
    done.touch()
    assert ("means", "a") not in lost_jobs(tmp_path)
