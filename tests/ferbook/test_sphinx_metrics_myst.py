"""The way out of Jupyter Book 1: the staged pages parse under the MyST tool, with our roles as a plugin."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from ferbook import paths
from ferbook.beside import REFERENCE
from ferbook.book import pages_of_toc
from ferbook.build import stage
from ferbook.store import open_run

TOOL = "mystmd@1.8.3"
STAYING = {"container"}
"""Directives of Sphinx that the tool does not know: each is a part of the way that is left."""


@pytest.mark.slow
@pytest.mark.system_package
def test_the_staged_pages_parse(tmp_path):
    if not shutil.which("npx"):
        pytest.skip("the pages under the MyST tool: Node.js, which has npx, is not here")
    npx = ["npx", "--yes", "--prefer-offline", TOOL]
    if subprocess.run([*npx, "--version"], capture_output=True, timeout=180, check=False).returncode:
        pytest.skip("the pages under the MyST tool: npm cannot fetch it here")
    folder = tmp_path / "stage"
    folder.mkdir()
    stage(open_run(REFERENCE), folder)
    files = [f"{p}.md" if (folder / f"{p}.md").is_file() else f"{p}.ipynb" for p in pages_of_toc()]
    shutil.copy(paths.ENGINE / "myst_roles.mjs", folder)
    project = {"plugins": ["myst_roles.mjs"], "toc": [{"file": file} for file in files]}
    (folder / "myst.yml").write_text(yaml.safe_dump({"version": 1, "project": project, "site": {}}))
    # What it misses, such as a theme, is an error to it; what counts is what it made of the pages.
    built = subprocess.run(
        [*npx, "build", "--site", "--ci"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    printed = built.stdout + built.stderr
    assert "unknown role" not in printed
    assert set(re.findall(r"unknown directive: (\w+)", printed)) <= STAYING
    pages = [json.loads(file.read_text()) for file in (folder / "_build/site/content").glob("*.json")]
    assert len(pages) == len(files), printed[-2000:]
    assert sum('"class": "metric"' in json.dumps(page) for page in pages) > 1
