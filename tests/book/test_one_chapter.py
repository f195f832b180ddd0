"""One real chapter at ``smoke``, from its run to its status and its check."""

import pytest

from ..conftest import make_clone

pytestmark = pytest.mark.whole_suite

# The chapter that is executed soonest.
CHAPTER = "structure_and_loss"


def test_a_chapter_that_was_run_is_up_to_date_and_checked(tmp_path):
    clone = make_clone(tmp_path)
    clone.ferbook("run", CHAPTER, "--profile", "smoke", "--run", "smoke")
    rows = clone.ferbook_json("status", "--run", "smoke")["chapters"]
    assert [row["chapter"] for row in rows if row["up_to_date"]] == [CHAPTER]
    assert "executed again, agrees" in clone.ferbook("check", CHAPTER, "--run", "smoke")
