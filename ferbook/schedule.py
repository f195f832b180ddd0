"""Jobs for Snakemake, on this machine or by an executor of its on a cluster."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import psutil

from ferbook import paths
from ferbook.book import Resources, child_environment
from ferbook.environment import OWNER_VARIABLE, kill, start_logged
from ferbook.errors import ChapterError, MissingError, ParameterError, nearest_name
from ferbook.files import read_yaml
from ferbook.store import write_json

# Threads of a job, where there are cores for several jobs of so many: small networks gain little from more.
WORTHWHILE_THREADS = 4

# Seconds that Snakemake has to take its jobs out of a cluster's queue.
CANCELLING = 60

# Seconds that Slurm has to say what is in its queue; a controller that is down takes minutes.
ANSWERING = 10

_ERROR = re.compile(r"^Error in rule .*:\n((?:(?!\[).*\n)*)", re.MULTILINE)
_REFUSAL = re.compile(r"error message was '(?:sbatch: error: )?(.*?)(?:'\.)?$")
_SUBMITTED = re.compile(r"SLURM jobid (\d+) \(log: .*/rule_([^/]+)/([^/]+)/")
_QUEUE = ("squeue", "--me", "--noheader", "--format=%i %r")
_HOPELESS = ("BadConstraints", "DependencyNeverSatisfied", "InvalidAccount", "InvalidQOS", "PartitionDown")
# Why jobs in Slurm's queue do not start before something is changed.
_HOPELESS += ("JobHeldAdmin", "JobHoldMaxRequeue", "PartitionNodeLimit", "PartitionTimeLimit")
_HINTS = re.compile(r" ?Detailed failure reason.*| ?For further error details.*")


@dataclass(frozen=True)
class QueueJob:
    """A command of ours that Snakemake runs: ``words`` behind ``ferbook``, what it prints in ``log``.

    ``kind``: what it shares its resources with; ``needs``: (kind, name) of jobs that must have ended before;
    ``seconds`` that it may take; ``progress``: the file that says how far it is.
    """

    kind: str
    name: str
    words: tuple[str, ...]
    log: Path
    needs: tuple[tuple[str, str], ...] = ()
    seconds: float | None = None
    progress: Path = Path()


def finished_file(board: Path, kind: str, name: str) -> Path:
    """Return the file that Snakemake writes below ``board`` when a job has ended without an error."""
    return board / "ended" / kind / name


def threads_of_each(cores: int, jobs: int) -> int:
    """Threads of each of ``jobs`` (≥ 1) that may run side by side on ``cores`` (≥ 1): all cores for one,
    half of few cores for several.

    Two trainings side by side are done some eighth sooner than one after the other on twice the threads
    (measured on two cores), and what a chapter does on one thread, such as resampling and drawing, leaves no
    core idle.
    """
    return max(1, cores // min(jobs, max(2, cores // WORTHWHILE_THREADS)))


def profile_of(executor: str) -> Path:
    """Return the folder of Snakemake's profile for ``executor``: the name of one of ours, or such a folder.

    Raises ParameterError where it is neither, MissingError where what it needs is not installed.
    """
    folder = paths.absolute(executor)
    if not (folder / "config.yaml").is_file():
        names = sorted(file.parent.name for file in paths.WORKFLOW.glob("*/config.yaml"))
        if executor not in names:
            raise ParameterError(
                f"no executor {executor!r}{nearest_name(executor, names)}: there is {', '.join(names)}, or "
                "name a folder with a config.yaml, a profile of Snakemake"
            )
        folder = paths.WORKFLOW / executor
    content = read_yaml(folder / "config.yaml", ParameterError)
    name = content.get("executor", "local") if isinstance(content, dict) else "local"
    plugin = f"snakemake-executor-plugin-{name}"
    if name != "local" and find_spec(plugin.replace("-", "_")) is None:
        raise MissingError(
            f"the executor {name!r} needs {plugin}, which is not installed; `pip install -c constraints.txt "
            "-e '.[slurm]'` brings that of Slurm"
        )
    if name == "slurm" and shutil.which("sbatch") is None:
        raise MissingError("the executor slurm needs sbatch, which is not here: go where jobs are submitted")
    return folder


def start_jobs(
    board: Path,
    jobs: Sequence[QueueJob],
    resources: Mapping[str, Resources],
    *,
    cores: int,
    executor: str | None = None,
    go_on: bool = False,
    priorities: Mapping[str, int] | None = None,
) -> subprocess.Popen:
    """Snakemake, by its documented command line, on ``jobs``, which it keeps account of in the folder
    ``board``.

    ``resources`` and ``priorities`` by kind. Here the jobs share ``cores``, each with so many ``threads``, or
    as ``threads_of_each`` says; with an ``executor`` each has its resources.
    ``go_on``: with those that do not need one that failed.
    """
    threads = None if executor else threads_of_each(cores, len(jobs))
    plan = {"kinds": {}, "jobs": {}}
    for job in jobs:
        finished_file(board, job.kind, job.name).unlink(missing_ok=True)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        job.log.unlink(missing_ok=True)
        command = shlex.join((sys.executable, "-m", "ferbook.cli", *job.words))
        plan["jobs"].setdefault(job.kind, {})[job.name] = {
            "command": f"{command} > {shlex.quote(str(job.log))} 2>&1",
            "needs": [str(finished_file(Path(), *each)) for each in job.needs],
        }
    for kind in plan["jobs"]:
        own = resources[kind]
        plan["kinds"][kind] = {
            "threads": threads or own.cores,
            "mem_mb": round(1024 * own.memory),
            "minutes": own.minutes,
            "gpus": own.gpus,
            "priority": (priorities or {}).get(kind, 0),
        }
    write_json(board / "plan.json", plan)
    command = [
        *(sys.executable, "-m", "snakemake", "all"),
        *("--snakefile", str(paths.WORKFLOW / "Snakefile"), "--directory", str(board)),
        *("--rerun-triggers", "mtime", "--rerun-incomplete", "--nocolor"),
        "--nolock",  # we hold the board ourselves, and our lock ends with us
        # The user's profiles, also of $SNAKEMAKE_PROFILE and ./profiles, may set a dry run or a cluster.
        *("--profile", "none", "--workflow-profile", str(profile_of(executor)) if executor else "none"),
        *(() if executor else ("--cores", str(cores))),
        *(("--keep-going",) if go_on else ()),
    ]
    # A job on another machine cannot see whether we are alive; its cluster ends it.
    environment = child_environment(**({} if executor else {OWNER_VARIABLE: str(os.getpid())}))
    own_session = executor is not None  # one Ctrl-C is enough to cancel jobs; two stop that
    return start_logged(command, board / "snakemake.log", environment, start_new_session=own_session)


def cluster_messages(log: str) -> dict[tuple[str, str], str]:
    """(kind, name) of a job -> what its executor said first when it failed, or was refused, by Snakemake's
    log.
    """
    messages = {}
    for block in _ERROR.findall(log):
        # Snakemake writes None of a rule without a message.
        text = next(iter(re.findall(r"^ *message: (?!None$)(.+)", block, re.MULTILINE)), "")
        refusal = _REFUSAL.search(text)
        text = f"refused by the cluster: {refusal[1]}" if refusal else _HINTS.sub("", text)
        for kind, name in re.findall(r"^ *output: ended/([^/\n]+)/([^/\n ]+)", block, re.MULTILINE):
            messages = ({(kind, name): text} if text else {}) | messages
    return messages


def lost_jobs(board: Path) -> dict[tuple[str, str], str]:
    """(kind, name) -> why, of jobs that Slurm does not have any more, or will never start, where it has none
    other of ours; empty too where jobs are not Slurm's. Raises ChapterError, with its words, where it does
    not answer.
    """
    log = board / "snakemake.log"
    submitted = _SUBMITTED.findall(log.read_text(encoding="utf-8", errors="replace") if log.exists() else "")
    ids = {
        (kind, name): job for job, kind, name in submitted if not finished_file(board, kind, name).exists()
    }
    if not ids:
        return {}
    try:
        queue = subprocess.run([*_QUEUE], capture_output=True, text=True, check=True, timeout=ANSWERING)
    except (OSError, subprocess.SubprocessError) as fault:
        words = " ".join(os.fsdecode(getattr(fault, "stderr", None) or str(fault)).split())
        raise ChapterError(f"Slurm does not say what is in its queue ({words})") from fault
    reasons = dict(line.split(" ", 1) for line in queue.stdout.splitlines())
    if any(reasons[job] not in _HOPELESS for job in ids.values() if job in reasons):
        return {}
    gone = "its job {} is not in Slurm's queue any more: it was cancelled, or is lost"
    never = "its job {} never starts: {}"
    return {
        key: (never if job in reasons else gone).format(job, reasons.get(job)) for key, job in ids.items()
    }


def stop_jobs(process: subprocess.Popen, executor: str | None = None) -> None:
    """End Snakemake and everything below it, and wait until all are gone; its jobs on a cluster, too."""
    if executor:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(CANCELLING)
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        family = [root, *root.children(recursive=True)]
        kill(family)
        psutil.wait_procs(family)
