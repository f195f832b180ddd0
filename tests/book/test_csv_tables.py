"""Tables of pages from the CSVs beside them."""

import pandas as pd
import pytest

from book import csv_tables


@pytest.mark.parametrize("name", csv_tables.TABLES)
def test_every_row_that_is_committed_is_shown(name):
    text = getattr(csv_tables, name)({})
    rows = pd.read_csv(csv_tables.Path(csv_tables.__file__).with_name(f"{name}.csv"), keep_default_na=False)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(rows) and len({line.count("|") for line in lines}) == 1
    assert all(f"| {first} |" in line for first, line in zip(rows.iloc[:, 0], lines[2:], strict=True))


def test_a_row_says_what_its_columns_say(tmp_path, monkeypatch):
    columns = {"what": ("what", ""), "auroc": ("AUROC", ""), "right": ("right", "share"), "so": ("so", "")}
    monkeypatch.setitem(csv_tables.TABLES, "made", columns)
    monkeypatch.setattr(csv_tables, "__file__", str(tmp_path / "csv_tables.py"))
    (tmp_path / "made.csv").write_text(
        "what,auroc,auroc_low,auroc_high,right,so,device,when\n"
        "null,0.571,-0.4712,0.6708,0.5,True,a CPU,2026-11-24T18:00\n"
        "AU1,,,,0.25,False,a CPU,2026-11-25T18:00\n"
    )
    assert csv_tables.csv_table("made", {}).splitlines() == [
        "| what | AUROC | right | so |",
        "|---|---|---|---|",
        "| null | 0.57 (−0.47 to 0.67) | 50.0\u00a0% | yes |",
        "| AU1 | – | 25.0\u00a0% | no |",
        "",
        "Measured on a CPU; 2026-11-24 to 2026-11-25.",
    ]
