"""The package's own files: pins, environment, and what the Makefile promises."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions, version

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from ferbook import paths
from tests.test_names import imported_modules

PROJECT = tomllib.loads((paths.root() / "pyproject.toml").read_text())
EXTRAS = PROJECT["project"]["optional-dependencies"]
READING = PROJECT["project"]["dependencies"]
DIRECT = READING + EXTRAS["chapters"] + EXTRAS["dev"] + EXTRAS["course"]
LINES = (paths.root() / "constraints.txt").read_text().splitlines()
CONSTRAINTS = [line for line in LINES if line and not line.startswith("#")]
PACKAGES = ("book", "face_sets", "fer_lib", "ferbook", "synthetic_faces")
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.]+)")
# Pinned without an import of ours -> why.
OTHER_USES = {
    "axe-playwright-python": "brings the script axe, which the browser tests load",
    "ipykernel": "the kernel that notebooks are executed by",
    "jupyter-book": "run as a command by the build",
    "nbval": "run as pytest's plugin by the check",
    "snakemake": "run as a command",
    "snakemake-executor-plugin-slurm": "loaded by Snakemake for --executor slurm",
    "jupyterlab": "for readers",
    "pytest-xdist": "run by make test",
    "ruff": "run by make lint",
}


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def make(*words, cwd=None, check=True):
    command = ["make", *map(str, words)]
    return subprocess.run(command, cwd=cwd or paths.root(), capture_output=True, text=True, check=check)


def imported_packages(file):
    return {name.partition(".")[0] for name in imported_modules(file.read_text(encoding="utf-8"))}


def test_every_requirement_is_an_exact_pin_without_a_host_and_of_a_package_that_is_pinned_once():
    lines = {*DIRECT, *EXTRAS["notebook"], *CONSTRAINTS}
    assert [line for line in lines if not PIN.fullmatch(line)] == []
    names = [normal(PIN.fullmatch(line)[1]) for line in lines]
    assert len(names) == len(set(names))


def test_what_is_installed_is_what_is_pinned():
    pinned = dict(PIN.fullmatch(line).groups() for line in DIRECT)
    assert {name: version(name).partition("+")[0] for name in pinned} == pinned


def test_what_lies_beside_the_modules_is_installed_with_them():
    data = PROJECT["tool"]["setuptools"]["package-data"]
    for package in ("face_sets", "fer_lib", "ferbook", "synthetic_faces"):
        home = paths.root() / package
        files = {file.relative_to(home) for file in home.rglob("*") if file.is_file()}
        beside = {file for file in files if file.suffix not in (".py", ".pyc", ".md", ".png")}
        listed = {file.relative_to(home) for pattern in data.get(package, []) for file in home.glob(pattern)}
        assert beside == listed, package


def test_git_looks_away_from_what_is_of_people_and_from_nothing_that_it_tracks():
    names = ["me-explained.html", "deep/me-explained.html", "mine.png", "data/mine/1.png", "crops/1.png"]
    names += ["me.jpg", "me.JPG", "x.PNG", "face.webp", "you.Jpeg", "students.csv", "grades/grades.csv"]
    names += ["submissions/ada/facs.ipynb", "out/ada/1.zip"]
    names += ["nbgrader/submitted/ada/facs/facs.ipynb", "_course/variants.csv"]
    told = subprocess.check_output(["git", "check-ignore", "--no-index", *names], cwd=paths.root(), text=True)
    assert told.split() == names
    lost = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.check_output(lost, cwd=paths.root(), text=True) == ""


def test_no_package_asks_for_a_newer_python_than_we_do():
    # Debian 12 has 3.11.2.
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=").partition(",")[0] + ".0"
    for own in distributions():
        assert oldest in SpecifierSet(own.metadata.get("Requires-Python") or ""), own.name


def test_every_package_that_is_imported_is_pinned_directly():
    own = {*PACKAGES, "contest", *sys.stdlib_module_names}  # what the benchmarks share
    providers = packages_distributions()
    direct = {normal(PIN.fullmatch(line)[1]) for line in DIRECT}
    files = [file for room in (*PACKAGES, "benchmarks") for file in (paths.root() / room).rglob("*.py")]
    for file in files:
        for top in imported_packages(file) - own:
            found = {normal(name) for name in providers.get(top, [])}
            assert found & direct, f"{file.name} imports {top}, which pyproject.toml does not pin"


def test_every_pinned_package_is_imported_or_said_to_be_needed():
    pins = [*READING, *(pin for some in EXTRAS.values() for pin in some)]
    listed = subprocess.check_output(["git", "ls-files", "*.py"], cwd=paths.root(), text=True)
    files = [paths.root() / name for name in listed.split() if (paths.root() / name).is_file()]
    owners = packages_distributions()
    imported = set().union(*map(imported_packages, files))
    used = {normal(owner) for name in imported for owner in owners.get(name, ())}
    pinned = {normal(pin.partition("==")[0]) for pin in pins}
    assert pinned - used - OTHER_USES.keys() == set(), "pinned, but imported nowhere"
    assert OTHER_USES.keys() & used == set(), "imported, so no other use has to be named"
    assert OTHER_USES.keys() <= pinned


def test_conda_gives_the_same_set():
    environment = yaml.safe_load((paths.root() / "environment.yml").read_text())
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["-c constraints.txt", "-e .[chapters,dev,course]"]


def test_make_help_lists_the_commands():
    commands = {line.split()[0] for line in make("help").stdout.splitlines()}
    assert commands >= {"env", "book", "read", "test", "bench", "clean", "help"}


def test_make_bench_runs_what_ends_with_ratios():
    steps = make("-n", "bench").stdout
    files = (paths.root() / "benchmarks").glob("*.py")
    texts = {file.stem: file.read_text(encoding="utf-8") for file in files}
    # Not those of the second, of one commit.
    ending = {name for name, text in texts.items() if "print_ratio(" in text} - {"contest", "checkouts"}
    assert set(re.findall(r"benchmarks/(\w+)\.py", steps)) == ending and "OMP_NUM_THREADS=1" in steps
    least = int(re.search(r"LEAST_TURNS = (\d+)", texts["contest"])[1])
    for name in ending:
        turns = re.search(r"options\(__doc__.*?(?:turns|repeats)=(\d+)", texts[name])[1]
        assert int(turns) >= least, f"{name}: nothing of it would be kept"


@pytest.fixture
def make_book(tmp_path):
    """``make book`` where ``ferbook`` only notes what it is asked, and fails in what is named: its exit
    status, what it prints and the notes.
    """
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(paths.root() / name, tmp_path)
    command = tmp_path / ".venv" / "bin" / "ferbook"
    command.parent.mkdir(parents=True)
    asked = tmp_path / "asked"
    variables = make("-pn", cwd=tmp_path, check=False).stdout
    (tmp_path / re.search(r"(?m)^READY := (.+)$", variables)[1]).touch()

    def call(fails="nothing"):
        faulty = f'case "$*" in "{fails}"*) echo "a fault of $1"; exit 1;; esac'
        command.write_text(f'#!/bin/sh\necho "$*" >> {asked}\n{faulty}\n')
        command.chmod(0o755)
        answer = make("book", cwd=tmp_path, check=False)
        return answer.returncode, answer.stdout, asked.read_text().splitlines()

    return call


def test_the_reference_can_be_read_while_the_chapters_are_run(make_book):
    status, told, asked = make_book()
    assert status == 0
    assert told.index("Open the book: file://") < told.index("Your run stands in the book: file://")
    assert "Its numbers are of the run reference until" in told
    assert sorted(asked[:2]) == ["build --run reference", "run --profile laptop --update"]
    assert sorted(each.split()[0] for each in asked[2:]) == ["build", "check"]


@pytest.mark.parametrize("fails", ["build --run reference", "run", "build --run laptop", "check"])
def test_what_fails_in_making_the_book_is_told_and_fails(make_book, fails):
    status, told, _ = make_book(fails)
    assert status != 0 and f"a fault of {fails.split()[0]}" in told and "Your run stands" not in told


def test_reading_takes_nothing_that_computes():
    names = {PIN.fullmatch(line)[1] for line in READING}
    assert not names & {"torch", "fastai", "scipy", "scikit-learn", "warp-lang", "anny", "papermill"}
    told = make("-n", "read").stdout
    assert "-c constraints.txt -e '.'" in told and ".venv-read/bin/ferbook build --run reference" in told


@pytest.mark.slow
def test_the_book_can_be_read_in_its_real_small_environment(tmp_path):
    """The second command of the README, as it is written, in a clean clone of what is committed."""
    clone = tmp_path / "clone"
    words = ("git", "clone", "--quiet", "--depth", "1", f"file://{paths.root()}", str(clone))
    subprocess.run(words, check=True, capture_output=True)
    told = make("read", cwd=clone, check=False)
    assert told.returncode == 0, told.stdout + told.stderr
    page = clone / "_build" / "html" / "index.html"
    assert told.stdout.index(f"Open the book: file://{page}") < told.stdout.index("book built from run")
    assert "package " not in told.stdout, "what is not installed is unknown, not changed"
    assert page.is_file() and (clone / "_build" / "html" / "book" / "answers.html").is_file()
    assert not list((clone / ".venv-read").glob("lib/*/site-packages/torch"))


@pytest.mark.parametrize(
    ("npx", "told", "passes"),
    [
        (None, "Node.js, which has npx, is not here", True),
        ("exit 1", "npm cannot fetch their linter here", True),
        ('case "$*" in *--version) ;; *) echo found; exit 1 ;; esac', "found", False),
        ('echo "$*"', "lint --error-on-warnings book/_static", True),
    ],
)
def test_scripts_are_linted_where_that_can_be(tmp_path, npx, told, passes):
    file = tmp_path / "npx"
    if npx:
        file.write_text(f"#!/bin/sh\n{npx}\n")
        file.chmod(0o755)
    for guards in ("--guards", ""):  # the first where Node.js could be installed
        answer = make(f"NPX={file}", f"GUARDS={guards}", "lint-scripts", check=False)
        assert told in answer.stdout
        assert (answer.returncode == 0) is (passes and not (guards and npx is None))
    assert ("not tested" in answer.stdout) is told.endswith("here")


@pytest.mark.parametrize("said", ["Python 3.9.1", "Python 3.14.2"])
def test_another_python_is_refused_before_anything_is_installed(tmp_path, said):
    old = tmp_path / "python3"
    old.write_text(f"#!/bin/sh\ncase $1 in --version) echo {said} ;; *) exit 1 ;; esac\n")
    old.chmod(0o755)
    answer = make(f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", "env", check=False)
    assert answer.returncode != 0
    assert "Python 3.11, 3.12 or 3.13 is needed" in answer.stdout and said in answer.stdout
    assert not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("settings", "uv", "installers"),
    [
        ("global.cert='/etc/ssl/cert.pem'", "exit 0", ["uv"]),
        ("global.extra-index-url='file:///wheels'", "exit 0", ["uv"]),
        (":env:.index-url='https://index.example/simple'", "exit 0", ["pip"]),
        ("", "exit 2", ["uv", "pip"]),
    ],
)
def test_uv_makes_the_environment_unless_pip_knows_an_index_or_uv_fails(tmp_path, settings, uv, installers):
    """With a Python that writes down what it is asked to install."""
    log, python, home = tmp_path / "log", tmp_path / "python3", tmp_path / "venv"
    note = f"""case "$*" in *chapters*) echo $(basename "$0") >> {log} ;; esac"""
    tools = {"pip": f'echo "{settings}"', "uv": f"{note}; {uv}"}
    tools["python"] = note.replace('basename "$0"', "echo pip")
    made = "".join(f"cat > $3/bin/{name} <<'EOF'\n#!/bin/sh\n{body}\nEOF\n" for name, body in tools.items())
    begin = "#!/bin/sh\ncase $2 in venv) ;; *) exit 0 ;; esac\nmkdir -p $3/bin\n"
    python.write_text(f"{begin}{made}chmod +x $3/bin/*\n")
    python.chmod(0o755)
    make(f"PYTHON={python}", f"VENV={home}", "env")
    assert log.read_text().split() == installers
    assert [file.name.partition("-")[0] for file in home.glob(".*")] == [".ready"]
