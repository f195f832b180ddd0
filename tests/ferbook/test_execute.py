"""Executing a chapter: what papermill is given, and what of the user reaches the kernel."""

import json
import shutil
from pathlib import Path

import pytest
from papermill.parameterize import parameterize_path

from ferbook.book import find_chapter
from ferbook.execute import _failed, _literal
from ferbook.store import open_run, write_json


@pytest.mark.parametrize("path", ["/plain/a.ipynb", "/with {seed}/{} {{x}}/a.ipynb", "/half {/a} b.ipynb"])
def test_papermill_takes_a_path_with_braces_as_it_stands(path):
    assert parameterize_path(_literal(Path(path)), {"seed": 3}) == path


@pytest.mark.defect("R8")
def test_nothing_of_the_user_is_in_the_kernel_and_each_attempt_has_a_path_of_its_own(toy_clone, tmp_path):
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    for file in (startup, kernel):
        file.parent.mkdir(parents=True)
    startup.write_text("planted = 1")
    write_json(kernel, {"argv": ["false"], "display_name": "planted", "language": "python"})
    users = {"IPYTHONDIR": tmp_path / "ipython", "PYTHONSTARTUP": startup}
    users |= dict.fromkeys(("JUPYTER_PATH", "JUPYTER_DATA_DIR"), tmp_path / "jupyter")
    toy_clone.environment.update({name: str(place) for name, place in users.items()})

    seen = tmp_path / "seen"
    toy_clone.write_chapter(
        "throws",
        "import os, IPython, jupyter_core.paths\nassert 'planted' not in globals()",
        "places = [IPython.paths.get_ipython_dir(), *jupyter_core.paths.jupyter_path()]\n"
        f"own = {str(tmp_path / 'ipython')!r}, {str(tmp_path / 'jupyter')!r}\n"
        "assert not any(place.startswith(own) for place in places), places",
        f"print(os.environ['FER_OUTPUT'], file=open({str(seen)!r}, 'a'))",
    )
    run = open_run("a")
    for _ in range(2):
        shutil.rmtree(run.folder, ignore_errors=True)
        write_json(run.inputs_file("throws"), {"parameters": {}})
        toy_clone.ferbook("_execute", "throws", str(run.folder))
        assert json.loads((run.result("throws").folder / "DONE.json").read_text())["chapter"] == "throws"
    first, second = seen.read_text().splitlines()
    assert first != second and not Path(first).exists()


@pytest.mark.slow
@pytest.mark.parametrize("updates", ["clear_output(wait=True)", "shown.update(2)"])
def test_a_compared_cell_that_updates_what_it_shows_is_refused_in_any_editor(toy_clone, updates):
    """Nbval would find a difference each time. The kernel that the editor names is not here."""
    begins = "from IPython.display import clear_output\nshown = display(1, display_id=True)"
    toy_clone.write_chapter("throws", f"{begins}\n{updates}")
    file = toy_clone.root / "book" / "throws" / "throws.ipynb"
    content = json.loads(file.read_text())
    content["metadata"] = {"kernelspec": {"name": "conda-env-of-mine", "display_name": "Mine"}}
    run = open_run("a")
    write_json(run.inputs_file("throws"), {"parameters": {"seed": 1}})
    file.write_text(json.dumps(content))
    toy_clone.ferbook("_execute", "throws", str(run.folder))
    content["cells"][-1]["metadata"]["tags"] = ["nbval-check-output"]
    file.write_text(json.dumps(content))
    shutil.rmtree(run.result("throws").folder)
    told = toy_clone.ferbook("_execute", "throws", str(run.folder), expect=1)
    assert "code cell 4 (" in told and "updates what it shows" in told and run.result("throws").done() is None


def test_a_commit_that_fails_after_the_move_keeps_the_first_error(run):
    """As on a full disk: the staged folder is gone by then."""
    full = OSError(28, "No space left on device")
    error = _failed(find_chapter("throws"), run, run.work / "staging" / "gone", full)
    assert "No space left on device" in str(error)
    report = json.loads((run.result("throws").failed_folder / "failure.json").read_text())
    assert "No space left on device" in report["error"] and "storing" in report["where"]


def test_a_wrong_magic_command_is_named_with_its_cell_in_a_notebook_of_windows(toy_clone):
    """IPython only prints what is wrong. The notebook has a byte order mark and Windows' line ends."""
    toy_clone.write_chapter("throws", "%notmagic")
    file = toy_clone.root / "book" / "throws" / "throws.ipynb"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    run = open_run("a")
    write_json(run.inputs_file("throws"), {"parameters": {"seed": 1}})
    told = toy_clone.ferbook("_execute", "throws", str(run.folder), expect=1)
    assert "failed in code cell 4: UsageError: Line magic function `%notmagic` not found" in told
