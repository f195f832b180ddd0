"""The form of ``findings/*.sh``, of which none is executed here, and their page."""

import os
import re

import pytest

from book.findings_page import COMMENT_PARTS, FINDINGS, finding_parts, findings

SCRIPTS = sorted(FINDINGS.glob("*.sh"))


@pytest.mark.parametrize("file", SCRIPTS, ids=lambda file: file.stem)
def test_a_finding_says_what_it_found_pins_what_it_runs_and_needs_nothing_of_ours(file):
    text = file.read_text(encoding="utf-8")
    assert os.access(file, os.X_OK) and text.startswith("#!/usr/bin/env bash\n") and all(finding_parts(text))
    assert len(re.match(r"#!.*\n((?:#.*\n)+)", text)[1].splitlines()) <= 14
    assert max(map(len, text.splitlines())) <= 110
    packages = re.search(r"pip install -q (.+)", text)[1].split()
    assert packages and all(re.fullmatch(r"[\w.-]+==[\w.]+", each) for each in packages)
    assert "mktemp -d" in text and "assert " in text
    assert not re.search(r"\b(ferbook|fer_lib|synthetic_faces|from book|import book)\b", text)


def test_the_page_has_all_of_them():
    page = findings({})
    assert len(SCRIPTS) >= 8 and page.count("\n## ") + 1 == len(SCRIPTS)
    assert all(page.count(f"*{part}:*") == len(SCRIPTS) for part in COMMENT_PARTS)


def test_a_comment_without_its_parts_is_refused():
    with pytest.raises(ValueError, match="One would guess"):
        finding_parts("#!/usr/bin/env bash\n# Something. What happens: nothing.\nset -e\n")
