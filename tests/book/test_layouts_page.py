"""What official layouts take, on the page of benchmarks."""

import pandas as pd
import pytest

from book import layouts_page
from book.layouts_page import OUTCOME_DONE, SET_READING, layouts_text
from ferbook.book import chapters
from ferbook.errors import DataError

REFUSAL = (
    "ferbook: chapter training: face set 'two' has 1 person to test on. Name other chapters in `ferbook`"
)


def test_every_set_has_a_row_and_what_misses_or_refuses_is_named(tmp_path, monkeypatch):
    about = {"device": "some CPU", "when": "2026-11-25T00:00:00", "share": 1.0}
    rows = [
        ("one", 1234, SET_READING, OUTCOME_DONE, 4.0, 700),
        ("one", 1234, "faces", OUTCOME_DONE, 30.0, 900),
        ("one", 1234, "derl", f"{OUTCOME_DONE} with folds=2", 90.0, 2100),
        ("two", 20, SET_READING, OUTCOME_DONE, 1.0, 700),
        ("two", 20, "faces", OUTCOME_DONE, 9.0, 1000),
        ("two", 20, "truth", REFUSAL, 2.0, 700),
    ]
    columns = ["layout", "pictures", "chapter", "outcome", "seconds", "peak_mib"]
    pd.DataFrame(rows, columns=columns).assign(**about).to_csv(tmp_path / "layouts.csv", index=False)
    monkeypatch.setattr(layouts_page, "LAYOUTS", tmp_path / "layouts.csv")
    text = layouts_text({})
    assert "| `one` | 1,234 | 4 s | 2 of 2 | `derl`, 90 s | `derl`, 2,100 MiB |" in text
    assert "| `two` | 20 | 1 s | 1 of 2 | `faces`, 9 s | `faces`, 1,000 MiB |" in text
    assert "reached in 5 of 6 measurements, and missed by `one` in `derl`." in text
    assert "- of `two`: it has 1 person to test on (`truth`).\n" in text
    assert "Not measured yet: " in text and "`ckplus`" in text
    assert "Measured on some CPU, one core, 2026-11-25." in text
    pd.DataFrame(rows, columns=columns).assign(**about | {"share": 0.1}).to_csv(tmp_path / "layouts.csv")
    with pytest.raises(DataError, match=r"layouts\.csv: two, one not in the published size"):
        layouts_text({})


def test_each_chapter_that_was_measured_came_to_its_end_or_said_before_what_is_lacking():
    table = pd.read_csv(layouts_page.LAYOUTS)
    refused = table["outcome"].str.match(r"ferbook: chapter \w+: ")  # of a failure the name is quoted
    assert (refused | table["outcome"].str.startswith(OUTCOME_DONE)).all()
    assert (table.loc[refused, "seconds"] < 60).all(), "not after minutes"
    assert {*table.groupby("layout")["chapter"].agg(len)} == {len(chapters()) + 1}
