"""Training populations on a cluster: a job for each network that is missing."""

import math
from collections.abc import Sequence

from book.populations import Member
from ferbook.beside import REFERENCE
from ferbook.book import Resources
from ferbook.owner import held
from ferbook.progress import run_jobs
from ferbook.schedule import QueueJob, cluster_messages
from ferbook.store import open_run

CORES = 2
"""Of each network, where the number of threads is not said."""


def train_by_jobs(
    members: Sequence[Member], *, device: str, threads: int, replace: bool, executor: str
) -> dict[str, str]:
    """Train what is missing of ``members`` by ``executor``; network -> why it is not there, of those that
    failed. A network's minutes are thrice its ``core_minutes``.

    Raises ParameterError and MissingError before anything is trained, RunStoreError where another process
    does the same.
    """
    board = open_run(REFERENCE).work / "populations"
    members = [member for member in members if member.fault()]
    words = ("--device", device, "--threads", str(threads or CORES), *(["--replace"] * replace))
    jobs = [
        QueueJob(
            name,
            seed,
            ("populations", "train", name, "--only", seed, *words),
            board / "logs" / f"{name}-{seed}.log",
        )
        for name, seed in ((m.population.name, str(m.seed)) for m in members)
    ]
    resources = {
        member.population.name: Resources(
            threads or CORES,
            gpus=int(device == "cuda"),
            minutes=10 * math.ceil(0.3 * member.population.core_minutes),
        )
        for member in members
    }
    if not jobs:
        return {}
    with held(board / "lock", "populations are trained by jobs already, of {}"):
        run_jobs(board, jobs, resources, cores=1, executor=executor, go_on=True)
        messages = cluster_messages((board / "snakemake.log").read_text(encoding="utf-8", errors="replace"))
    return {
        f"{job.kind} {job.name}": f"{messages.get((job.kind, job.name), fault)}; log: {job.log}"
        for job, member in zip(jobs, members, strict=True)
        if (fault := member.fault())
    }
