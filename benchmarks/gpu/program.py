"""What a machine with a GPU is asked, in four parts that end in time and go on where they were.

    python benchmarks/gpu/program.py [--parts a b c d] [--device cuda] [--results gpu_results] [--minutes 8]
    [--chapters training transfer] [--toy]

a: all chapters at `smoke`, or those that are named, on the processor and on the GPU of the same machine, and
   whether they agree;
b: FER2013: the recipes of the populations `CANDIDATES`, each trained alone for `CANDIDATE_SECONDS`; then the
   one that PublicTest prefers for `SEED_SECONDS`, 5 seeds;
c: the networks of the population `published_96`, ten of them;
d: the benchmarks of training, deconvolution, nulls, LSTMs and rendering.

Each part is a row of steps. What a step found is written before the next one begins, to `results.json` in the
folder of results; a call does what is not there yet, so one that was killed is called again. A part ends
after so many minutes, wherever it is. A step that fails is told with its reason, the others go on, and the
next call tries it again. The exit code is 0 where everything is there, 3 where something is left. `--toy`
asks the same on tiny inputs, for a processor, and keeps it in `gpu_results_toy` where nothing else is said.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from book.population_training import train_member
from book.populations import Member, Population, find_population
from fer_lib.faces.folds import fold_faces, protocol_of
from fer_lib.faces.registry import open_faces
from fer_lib.faces.request import FaceRequest
from fer_lib.nets.build import build_network
from fer_lib.train.callbacks import growing_side
from fer_lib.train.curve import Training
from fer_lib.train.device import device_name
from fer_lib.train.learner import seed_everything, train
from ferbook import paths
from ferbook.check import compare_metrics, exact_metrics
from ferbook.environment import COMMIT_VARIABLE, git_commit
from ferbook.errors import FerError, ParameterError
from ferbook.owner import now
from ferbook.store import open_run, write_json
from pack import COMMIT_FILE, GPU_LOAD, unpack_fer2013

CANDIDATES = ("gpu_large_sgd", "gpu_rate_0.1", "gpu_rate_0.05", "gpu_rate_residual", "gpu_rate_muon")
"""Populations whose recipes part b tries, but for the number of epochs."""

CANDIDATE_SECONDS = 30
"""What the training of each of them may take: at equal epochs, as in November 2026, one may be chosen that
takes several times as long.
"""

GPU_POPULATION = "gpu_seconds"
"""What the networks are kept as that part b is about; those of an earlier round are replaced."""

SEED_SECONDS = 72
"""What the training of one network of part b may take: 90 are allowed, and a pace changes."""

PACE_EPOCHS = 8
"""Epochs by which a pace is measured: of pictures that grow, each side is met twice, and what is recorded or
looked up at first does not count the second time.
"""

DEVICE_FILES, DRIVER = Path("/dev"), Path("/proc/driver/nvidia/version")
"""Where Linux shows a GPU, and its driver's version."""

GPU_SEEDS = 5
PUBLISHED_NETWORKS = 10
LEAST_MEMORY = 8 * 2**30
"""Bytes: so much the trainings at batches of 128 and 96 pixels take, with room."""


class PartOver(BaseException):
    """The minutes of a part are over: no library is to take it for a fault of its own."""


@dataclass(frozen=True)
class GpuTask:
    """Where everything is asked for, on which ``device``, with the recipe of ``toy`` inputs or not, and the
    ``chapters`` of part a, none for all.
    """

    results: Path
    device: torch.device
    toy: bool
    chapters: tuple[str, ...] = ()

    @property
    def file(self) -> Path:
        return self.results / "results.json"

    def rows(self) -> list[dict]:
        """What the steps found so far."""
        return json.loads(self.file.read_text())["rows"] if self.file.exists() else []

    def _about(self, part: str, step: str) -> dict[str, object]:
        """By what a row is known."""
        about = {"part": part, "step": step, "device": device_name(self.device), "toy": self.toy}
        return about | ({"chapters": [*self.chapters]} if part == "a" else {})

    def keep(self, part: str, step: str, outcome: Mapping[str, object], seconds: float) -> None:
        """Put what ``step`` found into the file, in the place of an earlier row about the same."""
        about = self._about(part, step)
        rows = [row for row in self.rows() if not about.items() <= row.items()]
        provenance = {"commit": git_commit(), "when": now(), "torch": torch.__version__}
        provenance |= {"seconds": round(seconds, 1)}
        write_json(self.file, {"rows": [*rows, {**about, **outcome, **provenance}]})

    def is_there(self, part: str, step: str) -> bool:
        """Whether ``step`` was done on this device, of part a for these chapters."""
        about = self._about(part, step)
        return any("figures" in row and about.items() <= row.items() for row in self.rows())


Work = Callable[[], dict]


def require_gpu(device: torch.device, least: int = LEAST_MEMORY) -> None:
    """Raise ParameterError where there is no GPU that torch can use, saying why, or too little memory."""
    if device.type != "cuda":
        return
    if not torch.cuda.is_available():
        build = f"torch {torch.__version__}"
        if torch.version.cuda is None:
            raise ParameterError(f"{build} is built without CUDA; install a build with it")
        if not any(DEVICE_FILES.glob("nvidia[0-9]*")):
            raise ParameterError("there is no NVIDIA GPU here; `--device cpu --toy` tries the rest")
        driver = DRIVER.read_text().splitlines()[0] if DRIVER.is_file() else "none is loaded"
        raise ParameterError(
            f"a GPU is here, but {build}, built for CUDA {torch.version.cuda}, cannot use it: the driver is "
            f"too old for that, or broken ({driver}). Update it, or install a torch for an older CUDA"
        )
    memory = torch.cuda.get_device_properties(device).total_memory
    if memory < least:
        raise ParameterError(
            f"{device_name(device)} has {memory / 2**30:.1f} GiB of memory; {least / 2**30:.0f} are needed"
        )


def printed_by(task: GpuTask, *words: str, **variables: str) -> str:
    """What a program of this checkout printed. Raises FerError with its last line where it failed."""
    root = str(paths.root())
    # What is there stays: packages that came along lie on it.
    places = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    environment = os.environ | {"PYTHONPATH": places, "PYTHONUNBUFFERED": "1"} | variables
    with subprocess.Popen(
        [sys.executable, *words], cwd=root, env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    ) as process:  # fmt: skip
        try:
            output, _ = process.communicate()
        except BaseException:
            # As Ctrl-C does, so that it ends what it started.
            os.killpg(process.pid, signal.SIGINT)
            process.communicate()
            raise
    if process.returncode:
        last = output.strip().splitlines()[-1:] or ["nothing printed"]
        raise FerError(f"{' '.join(words[:4])}: {last[0]}")
    return output


def smoke_steps(task: GpuTask) -> dict[str, Work]:
    """Part a."""
    names = {"processor": ("cpu", "gpu-cpu"), "device": (task.device.type, "gpu-device")}

    def run(kind: str, name: str) -> dict:
        arguments = [*task.chapters, "--profile", "smoke", "--run", name, "-p", f"device={kind}"]
        printed_by(task, "-m", "ferbook.cli", "run", *arguments, "-p", "precision=fp32")
        seconds = {result.chapter: result.record()["seconds"] for result in open_run(name).results()}
        return {"run": name, "seconds": seconds}

    def agreement() -> dict:
        first, second = ({r.chapter: r.metrics() for r in open_run(n).results()} for _, n in names.values())
        return {
            chapter: {
                "metrics": len(metrics),
                "exact": exact_metrics(metrics, second.get(chapter, {})),
                "beyond_tolerance": compare_metrics(metrics, second.get(chapter, {})),
            }
            for chapter, metrics in first.items()
        }

    return {f"smoke, {what}": partial(run, *name) for what, name in names.items()} | {"agreement": agreement}


def kept_network(task: GpuTask, population: Population, seed: int) -> dict:
    """Train a network of ``population``, unless it is there; what its record says."""
    member = Member(population, seed)
    record = train_member(member, device=task.device.type, replace=True)
    if record is None:
        raise FerError("another process trains this network")
    names = ("seed", "seconds", "epochs", "best_epoch", "valid_accuracy", "test_accuracy")
    return {name: record[name] for name in names} | {
        "training_seconds": float(member.curve()["seconds"].sum()),
        "epochs_seconds": member.curve()["seconds"].tolist(),
    }


def toy_population(population: Population) -> Population:
    """The same on few and small faces, for one epoch."""
    recipe = replace(population.recipe, epochs=1, batch_size=16, start_size=0)
    small = {"faces": FaceRequest("lab", 8, 24), "recipe": recipe}
    if "widths" in population.options:
        widths = tuple(8 for _ in population.options["widths"])
        small["options"] = population.options | {"widths": widths}
    return population.model_copy(update=small)


def photograph_steps(task: GpuTask) -> dict[str, Work]:
    """Part b."""

    def population_of(name: str) -> Population:
        population = find_population(name)
        return toy_population(population) if task.toy else population

    def figures(step: str) -> dict:
        outcomes = [row["figures"] for row in task.rows() if row["step"] == step and "figures" in row]
        if not outcomes:
            raise FerError(f"the step {step} has to be done first")
        return outcomes[-1]

    def lesson(name: str, epochs: int) -> tuple[Training, float]:
        """Train for so many epochs; and the seconds that it took."""
        population = population_of(name)
        faces = open_faces(population.faces).labelled()
        protocol = protocol_of(faces)
        fold = fold_faces(faces, protocol, 0)
        seed_everything(0)
        model = build_network(population.network, len(protocol.classes), faces.size[0], **population.options)
        recipe = replace(population.recipe, epochs=epochs)
        start = time.perf_counter()
        training = train(fold, model, protocol.classes, recipe, device=task.device)
        return training, time.perf_counter() - start

    def pace(name: str) -> dict:
        population = population_of(name)
        training, seconds = lesson(name, PACE_EPOCHS)
        start, end = population.recipe.start_size, population.faces.size
        sides = [growing_side(epoch, PACE_EPOCHS, start or end, end) for epoch in range(PACE_EPOCHS)]
        every = training.curve["seconds"].groupby(sides).transform("min").mean()
        return {"seconds_per_epoch": every, "seconds_besides": seconds - PACE_EPOCHS * every}

    def epochs_in(seconds: float, name: str) -> int:
        measured = figures(f"pace {name}")
        left = seconds - measured["seconds_besides"]
        return 1 if task.toy else max(2, int(left / measured["seconds_per_epoch"]))

    def candidate(name: str) -> dict:
        epochs = epochs_in(CANDIDATE_SECONDS, name)
        training, seconds = lesson(name, epochs)
        return {"valid_accuracy": training.valid_accuracy, "epochs": epochs, "seconds": seconds}

    def choice() -> dict:
        shares = {}
        for name in CANDIDATES:
            try:
                shares[name] = figures(f"candidate {name}")["valid_accuracy"]
            except FerError:
                continue  # it diverged, or failed otherwise; the next call tries it again
        if not shares:
            raise FerError("no candidate was trained")
        return {"population": max(shares, key=shares.get), "valid_accuracy": shares}

    def of_seed(seed: int) -> dict:
        name = figures("choice")["population"]
        population = population_of(name)
        recipe = replace(population.recipe, epochs=epochs_in(SEED_SECONDS, name))
        changes = {"name": GPU_POPULATION, "networks": GPU_SEEDS, "recipe": recipe, "test_time": "ten_crop"}
        return kept_network(task, population.model_copy(update=changes), seed)

    works = {}
    for name in CANDIDATES:
        works |= {f"pace {name}": partial(pace, name), f"candidate {name}": partial(candidate, name)}
    seeds = {f"seed {k}": partial(of_seed, k) for k in range(1 if task.toy else GPU_SEEDS)}
    return works | {"choice": choice} | seeds


def published_steps(task: GpuTask) -> dict[str, Work]:
    """Part c."""
    population = find_population("published_96").model_copy(update={"networks": PUBLISHED_NETWORKS})
    if task.toy:
        population = toy_population(population).model_copy(update={"networks": 2})
    return {f"network {k}": partial(kept_network, task, population, k) for k in range(population.networks)}


def contest_steps(task: GpuTask) -> dict[str, Work]:
    """Part d."""
    commands = {
        "training": ["training.py", "--parts", "learners", "--pictures", "4096"],
        "deconvolution": ["deconv.py"],
        "nulls": ["nulls.py", "--permutations", "10000"],
        "LSTMs": ["lstm.py"],
        "rendering": ["faces.py", "--domains", "lab", "--share", "0.2", "--turns", "5"],
    }
    if task.toy:
        sizes = ["--permutations", "20", "--filters", "4", "--sample", "4", "--measures", "kl"]
        commands = {"nulls": ["nulls.py", *sizes]}
    csv = str(task.results / "benchmarks.csv")

    def run(file: str, *arguments: str) -> dict:
        device = [] if file == "faces.py" else ["--device", task.device.type]
        output = printed_by(task, f"benchmarks/{file}", *arguments, *device, BENCH_CSV=csv)
        return {"printed": output.splitlines()}

    return {name: partial(run, *words) for name, words in commands.items()}


PROGRAM = {"a": smoke_steps, "b": photograph_steps, "c": published_steps, "d": contest_steps}


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise PartOver inside after so many seconds."""

    def end(*_: object) -> None:
        raise PartOver

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_part(task: GpuTask, part: str, seconds: float) -> list[str]:
    """Do what is not there of a part; the names of the steps that are left."""
    left = [step for step in PROGRAM[part](task) if not task.is_there(part, step)]
    failures = []
    try:
        with time_limit(seconds):
            for step, work in PROGRAM[part](task).items():
                if step not in left:
                    continue
                start = time.perf_counter()
                try:
                    outcome = {"figures": work()}
                    left.remove(step)
                except Exception as fault:  # whatever a step raises is its row
                    first = str(fault).splitlines()[:1] or [""]
                    outcome = {"fault": f"{type(fault).__name__}: {first[0]}"}
                    failures.append(f"{step}: {outcome['fault']}")
                took = time.perf_counter() - start
                task.keep(part, step, outcome, took)
                print(f"part {part}, {step}: {took:.0f} s; {json.dumps(outcome)[:300]}", flush=True)
    except PartOver:
        print(f"part {part}: its {seconds / 60:g} minutes are over", flush=True)
    for failure in failures:
        print(f"part {part}: FAILED: {failure}", flush=True)
    return left


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(PROGRAM), default=list(PROGRAM))
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--results", type=Path)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--chapters", nargs="+", default=[])
    parser.add_argument("--toy", action="store_true")
    args = parser.parse_args()
    device = torch.device(args.device)
    try:
        require_gpu(device)
        chapters = args.chapters or ["faces"] * args.toy
        results = args.results or Path("gpu_results_toy" if args.toy else "gpu_results")
        task = GpuTask(results.resolve(), device, args.toy, tuple(chapters))
        task.results.mkdir(parents=True, exist_ok=True)
        os.environ["FER_RUNS"] = str(task.results / "runs")
        if (GPU_LOAD / COMMIT_FILE).is_file():
            os.environ.setdefault(COMMIT_VARIABLE, (GPU_LOAD / COMMIT_FILE).read_text())
        if (GPU_LOAD / "fer2013.webp").is_file() and "FER_DATA" not in os.environ:
            os.environ["FER_DATA"] = str(unpack_fer2013(GPU_LOAD, task.results / "data"))
        left = {part: run_part(task, part, 60 * args.minutes) for part in args.parts}
    except FerError as fault:
        print(f"gpu program: {fault}", file=sys.stderr)
        return fault.exit_code
    for part, steps in left.items():
        print(f"part {part}: {'left: ' * bool(steps)}{', '.join(steps) or 'all there'}")
    commits = {row["commit"] for row in task.rows()}
    if len(commits) > 1:
        print(f"note: rows of several commits stand in {task.file}: {', '.join(sorted(commits))}")
    return 3 if any(left.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
