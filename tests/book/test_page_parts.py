"""Tables of pages from the CSVs beside them; the marks, guessed and measured; the form of ``findings/*.sh``,
of which none is executed here, and their page; and the page of benchmarks.
"""

import os
import re

import pandas as pd
import pytest

from book import page_parts
from book.page_parts import COMMENT_PARTS, FINDINGS, KEPT_RATIOS, benchmarks_text, finding_parts, findings


@pytest.mark.parametrize("name", page_parts.TABLES)
def test_every_row_that_is_committed_is_shown(name):
    text = getattr(page_parts, name)({})
    rows = pd.read_csv(page_parts.Path(page_parts.__file__).with_name(f"{name}.csv"), keep_default_na=False)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(rows) and len({line.count("|") for line in lines}) == 1
    assert all(f"| {first} |" in line for first, line in zip(rows.iloc[:, 0], lines[2:], strict=True))


def test_a_row_says_what_its_columns_say(tmp_path, monkeypatch):
    columns = {"what": ("what", ""), "auroc": ("AUROC", ""), "right": ("right", "share"), "so": ("so", "")}
    monkeypatch.setitem(page_parts.TABLES, "made", columns)
    monkeypatch.setattr(page_parts, "__file__", str(tmp_path / "page_parts.py"))
    (tmp_path / "made.csv").write_text(
        "what,auroc,auroc_low,auroc_high,right,so,device,when\n"
        "null,0.571,-0.4712,0.6708,0.5,True,a CPU,2026-11-24T18:00\n"
        "AU1,,,,0.25,False,a CPU,2026-11-25T18:00\n"
    )
    assert page_parts.csv_table("made", {}).splitlines() == [
        "| what | AUROC | right | so |",
        "|---|---|---|---|",
        "| null | 0.57 (−0.47 to 0.67) | 50.0\u00a0% | yes |",
        "| AU1 | – | 25.0\u00a0% | no |",
        "",
        "Measured on a CPU; 2026-11-24 to 2026-11-25.",
    ]


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


def test_each_device_has_a_figure_of_its_own_in_the_page_s_colours():
    text = benchmarks_text({})
    names = re.findall(r'<figure class="fer-figure" id="([^"]+)"', text)
    assert len(names) == len(set(names)) == pd.read_csv(KEPT_RATIOS)["device"].nunique()
    assert "<img" not in text and "var(--figure-ground)" in text and "#ffffff" not in text
