"""A Slurm of one node, of processes of this test's own: munged with its own key, slurmctld and slurmd."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

from ferbook.environment import end_with_parent

# The only place where jobs look for it.
CONF = Path("/etc/slurm/slurm.conf")
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
# What the partition allows.
LONGEST_MINUTES = 90
# How often the controller is asked whether it is there: each time takes a moment.
TRIES = 400

# How our configuration begins: what a killed test left may be written over.
OWN = "ClusterName=of-a-test\n"
CONFIGURATION = """\
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MinJobAge=600
EnforcePartLimits=ALL
NodeName={host} NodeAddr=127.0.0.1 CPUs=6 RealMemory=6000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime={minutes} State=UP
"""
# A `sacct` that prints what that of slurmdbd does, whose database is not here: who cancelled a job, too.
ACCOUNTS = """\
#!/bin/sh
scontrol show jobs --oneliner |
    sed -n 's/^JobId=\\([0-9]*\\) .* JobState=\\([A-Z_]*\\) .*/\\1|\\2/; s/CANCELLED/CANCELLED by 0/p; t; p'
"""


def reason_against() -> str:
    """Why there can be no such cluster here; empty if there can."""
    if sys.platform != "linux" or os.geteuid():
        return "a Slurm of our own needs root, on Linux"
    if absent := [name for name in PROGRAMS if shutil.which(name) is None]:
        return f"no {', '.join(absent)}: apt-get install slurm-wlm munge"
    if find_spec("snakemake_executor_plugin_slurm") is None:
        return "no snakemake-executor-plugin-slurm: pip install -c constraints.txt -e '.[slurm]'"
    if CONF.exists() and not CONF.read_text().startswith(OWN):
        return f"{CONF} is there, and root's own cluster is left alone"
    return ""


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def one_node(folder: Path) -> Iterator[str]:
    """The cluster, with its files below ``folder``; gives the node's name."""
    host = socket.gethostname()
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True, mode=0o700)
    folder.chmod(0o700)
    key = folder / "munge.key"
    key.touch(0o600)
    key.write_bytes(os.urandom(1024))
    own = {name: f"{folder}/munge.{name}" for name in ("socket", "pid", "log", "seed")}
    munge = ("--force", "--foreground", f"--key-file={key}", f"--socket={own['socket']}")
    munge += (f"--pid-file={own['pid']}", f"--log-file={own['log']}", f"--seed-file={own['seed']}")
    text = OWN + CONFIGURATION.format(host=host, folder=folder, ports=_free_ports(2), minutes=LONGEST_MINUTES)
    daemons = []
    CONF.parent.mkdir(exist_ok=True)
    CONF.write_text(text)
    try:
        for command in (("munged", *munge), ("slurmctld", "-D"), ("slurmd", "-D", "-N", host)):
            with (folder / f"{command[0]}.out").open("w") as log:
                daemons.append(subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=end_with_parent))
        for _ in range(TRIES):
            if subprocess.run(["scontrol", "ping"], capture_output=True, check=False).returncode == 0:
                break
        subprocess.run(["srun", "-n1", "true"], check=True, capture_output=True, timeout=60)  # the node is up
        yield host
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(30)
        if CONF.exists() and CONF.read_text() == text:
            CONF.unlink()
