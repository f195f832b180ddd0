"""README, CONTRIBUTING and the pages are true: each command that they show can be given as it is written, and
those of the README do what they say.
"""

import re
import shlex
import shutil

import pytest
import typer.main
import yaml
from PIL import Image

from ferbook import paths
from ferbook.cli import command_line

from ..conftest import make_clone

PAGES = [paths.root() / "README.md", paths.root() / "CONTRIBUTING.md", *sorted(paths.pages().glob("*.md"))]


def commands_of(text):
    """The `ferbook` commands in the listings of a page, without their comments."""
    for listing in re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        lines = listing.replace("\\\n", " ").splitlines()
        yield from (shlex.split(line, comments=True)[1:] for line in lines if line.startswith("ferbook "))


def fault(words):
    """Why the command line does not take ``words``; empty if it does."""
    command, left = typer.main.get_command(command_line()), list(words)
    try:
        while hasattr(command, "commands") and (left or not command.invoke_without_command):
            command = command.commands[left.pop(0)]
        command.make_context(command.name, left)
    except Exception as refusal:
        return f"ferbook {shlex.join(words)}: {type(refusal).__name__} {refusal}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_of_a_page_can_be_given(page):
    text = page.read_text(encoding="utf-8")
    assert [told for words in commands_of(text) if (told := fault(words))] == []
    named = [fault(shlex.split(name)[1:]) for name in re.findall(r"`(ferbook [^`]*)`", text)]
    assert [told for told in named if "NoSuchOption" in told or "KeyError" in told] == [], "in a sentence"


@pytest.mark.slow
def test_readme_and_guide_are_done_as_they_are_written(smoke_clone, tmp_path, rendered_faces):
    """At the size smoke, from a clean clone that has the run of `make book`."""
    clone = make_clone(tmp_path / "clone")
    shutil.copytree(smoke_clone.root / "runs", clone.root / "runs")
    Image.fromarray(rendered_faces[0]).save(clone.root / "me.jpg")
    guides = [page.read_text(encoding="utf-8") for page in PAGES[:2]]
    rerun = commands_of((paths.pages() / "rerun.md").read_text(encoding="utf-8"))
    cheap = [words for words in rerun if words[-1] in ("me.jpg", "wild.png", "populations", "--dry-run")]
    for words in [*commands_of("".join(guides)), *cheap]:
        small = [word.replace("laptop", "smoke") for word in words]
        small += ["--profile", "smoke"] * (words[0] == "run") + ["--cropped"] * ("me.jpg" in words)
        small += ["--subjects", "12"] * ("describe" in words)
        if words[0] != "notebook":  # which opens a browser
            clone.ferbook(*small)
    made = "_build/html/index.html", "me-explained.html", "book/gaze/gaze.ipynb", "wild.png"
    assert all((clone.root / name).is_file() for name in made)


def test_every_page_ends_with_the_citation_of_the_file():
    citation = yaml.safe_load((paths.root() / "CITATION.cff").read_text(encoding="utf-8"))
    settings = yaml.safe_load((paths.root() / "_config.yml").read_text(encoding="utf-8"))
    footer = " ".join(settings["html"]["extra_footer"].split())
    authors, year = "; ".join(each["name"] for each in citation["authors"]), citation["date-released"].year
    cited = f"{authors} ({year}). {citation['title']}, version {citation['version']}"
    assert f"{cited}. Licence: {citation['license']}." in footer
    assert "extra-footer.html" in settings["sphinx"]["config"]["html_theme_options"]["footer_content_items"]
