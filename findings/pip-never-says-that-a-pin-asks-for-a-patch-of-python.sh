#!/usr/bin/env bash
# A set of pinned packages, made with Python 3.11.7, is installed with the Python 3.11.2 that Debian 12 has.
# One would guess: packages that support 3.11 support all of it, or else pip names the Python that is missing.
# What happens: soupsieve has asked for 3.11.5 since its 3.0.2, so none of the set is installed; and pip calls
# it a conflict between "soupsieve>=1.6.1" and "soupsieve==4.1.1", which there is none. Of Python it says no
# word. uv does. The last soupsieve for every 3.11 is 2.10.
# Source: metadata of soupsieve 4.1.1 and 2.10; pip 25.3 and uv's resolver, run.
# Why it matters: beautifulsoup4, so nbconvert, nbgrader and jupyter-book need it. A set that is tested on one
# Python 3.11 cannot be installed on another, by students who can do nothing about it. Whoever says "3.11 or
# newer" can have a test ask each package whether it takes 3.11.0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/python -m pip install -q pip==25.3 uv==0.13.9
own/bin/python - <<'PYTHON'
import re
import subprocess
from pathlib import Path


def told(tool, python, soupsieve):
    """What ``tool`` says when it is to put beautifulsoup4 with that soupsieve to that Python; empty: done."""
    Path("pins.txt").write_text(f"soupsieve=={soupsieve}\n")
    words = [*tool, "install", "--dry-run", "--target", "there", "--only-binary", ":all:", "-c", "pins.txt"]
    words += ["--python-version", python, "beautifulsoup4==4.15.0"]
    done = subprocess.run(words, capture_output=True, text=True)
    return done.stderr and " ".join((done.stderr + done.stdout).split()) if done.returncode else ""


pip, uv = ["own/bin/pip"], ["own/bin/uv", "pip"]
print(subprocess.check_output([*pip, "--version"], text=True).split(" from ")[0])
assert told(pip, "3.11.7", "4.1.1") == told(pip, "3.11.2", "2.10") == ""
said = told(pip, "3.11.2", "4.1.1")
why = re.search("The conflict is caused by: (.*?) (?:Additionally|To fix)", said)[1]
print(f"Python 3.11.2, soupsieve 4.1.1: pip: {why}")
assert why.endswith("depends on soupsieve>=1.6.1 The user requested (constraint) soupsieve==4.1.1")
assert "3.11.5" not in said
print("uv:", re.search("does not satisfy Python>=3.11.5", told(uv, "3.11.2", "4.1.1"))[0])
PYTHON
