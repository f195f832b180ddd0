"""The frontier of accuracy over minutes, of networks whose answers are known."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from book import frontier_page
from book.frontier_page import (
    FRONTIER,
    GPU_FRONTIER,
    frontier_figure,
    frontier_table,
    frontier_text,
    gpu_text,
)
from book.kept import is_kept, kept_text

PICTURES, COPIES = 400, 40
LABELS = np.arange(PICTURES) % 4


def recipe_of(name: str) -> SimpleNamespace:
    return SimpleNamespace(epochs=2, optimiser="muon" if "muon" in name else "sgd")


@dataclass(frozen=True)
class Network:
    """It names the copies, and so many other pictures, rightly."""

    name: str
    seconds: float
    others: int
    valid: float = 0.5
    threads: int = 2

    @property
    def population(self):
        return SimpleNamespace(name=self.name, recipe=recipe_of(self.name))

    def curve(self):
        return pd.DataFrame({"seconds": [self.seconds / 2] * 2})

    def done(self):
        return {"valid_accuracy": self.valid, "device": "CPU (toy, 2 cores)", "threads": self.threads}

    def tested(self):
        return pd.DataFrame({"label": LABELS, "group": range(PICTURES)})

    def learned_before(self):
        return np.arange(PICTURES) < COPIES

    def answers(self):
        right = np.arange(PICTURES) < COPIES + self.others
        return np.eye(4, dtype=np.float16)[np.where(right, LABELS, (LABELS + 1) % 4)]


@pytest.fixture
def kept(monkeypatch):
    """Says which networks are kept."""

    def keep(networks):
        monkeypatch.setattr(
            frontier_page,
            "find_population",
            lambda name: SimpleNamespace(kept=lambda: networks.get(name, []), recipe=recipe_of(name)),
        )

    return keep


def test_accuracy_is_told_with_and_without_the_pictures_that_had_been_learned():
    table = frontier_table({"minutes_4": [Network("minutes_4", 240, 180), Network("minutes_4", 210, 216)]})
    (row,) = table.itertuples()
    assert (row.limit, row.minutes, row.most, row.networks) == (4, 3.75, 4, 2)
    assert row.test.value == pytest.approx((220 + 256) / 2 / 400)
    assert row.without.value == pytest.approx((180 + 216) / 2 / 360) and row.without.n == 360
    assert row.test.low < row.test.value < row.test.high and "seeds" in row.test.how


@pytest.mark.parametrize(
    ("seconds", "others", "word"), [(880, 240, "reached"), (910, 240, "missed"), (880, 200, "missed")]
)
def test_the_goal_is_of_accuracy_and_of_time(kept, seconds, others, word):
    kept({name: [Network(name, seconds, others)] * 3 for name in FRONTIER})
    text = frontier_text({})
    assert f"68.0 % on average: {word}." in text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Trained on CPU (toy, 2 cores), 2 threads." in text and "Not measured" not in text


@pytest.mark.parametrize(("valid", "word"), [(0.6, "reached"), (0.4, "missed")])
def test_of_two_ways_to_teach_as_long_the_goal_is_of_what_publictest_prefers(kept, valid, word):
    plain, other = Network("minutes_15", 880, 200), Network("muon_light", 880, 240, valid)
    kept({"minutes_15": [plain] * 3, "muon_light": [other] * 3})
    assert f": {word}." in frontier_text({})


def test_the_goal_is_of_three_networks(kept):
    kept({"minutes_15": [Network("minutes_15", 880, 240)] * 2})
    assert "on average: open, with 2 of 3 networks." in frontier_text({})


def test_a_training_with_one_thread_counts_for_accuracy_and_not_for_time(kept):
    slow = Network("minutes_15", 2700, 216, threads=1)
    kept({"minutes_15": [Network("minutes_15", 880, 250)] * 2 + [slow]})
    text = frontier_text({})
    assert "| 2 | 3, 2 timed |" in text and "| 14.67 min |" in text
    assert "on average: reached; the time is that of 2 of the 3 networks." in text
    kept({"minute_1": [Network("minute_1", 50, 100)], "minutes_15": [slow] * 3})
    assert "| not timed |" in frontier_text({}) and "on average: missed." in frontier_text({})
    kept({"minutes_15": [Network("minutes_15", 2700, 250, threads=1)] * 3})
    assert "on average: open, none of its networks is timed." in frontier_text({})


def test_what_is_not_there_is_said(kept):
    kept({"minute_1": [Network("minute_1", 50, 100)] * 2})
    absent = "**Not measured here yet, so not in the table:**"
    assert f"{absent} 4 (SGD), 15 (SGD), 15 (Muon), 15 (Muon) minutes." in frontier_text({})
    kept({})
    assert frontier_text({}) == f"{absent} 1 (SGD), 4 (SGD), 15 (SGD), 15 (Muon), 15 (Muon) minutes."


@pytest.mark.parametrize(("others", "word"), [(256, "reached"), (255, "missed")])
def test_on_a_gpu_the_answers_of_all_networks_are_a_row_of_their_own(kept, others, word):
    *trials, last = GPU_FRONTIER
    kept({name: [Network(name, 100, 200)] for name in trials[1:]} | {last: [Network(last, 80, others)] * 5})
    text = gpu_text({}).replace("\N{NO-BREAK SPACE}", " ")
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert [row[1] for row in rows[2:-1]] == [GPU_FRONTIER[name] for name in (*trials[1:], last)]
    assert rows[-2][2] == "80 s" and rows[-1][1] == "the mean of the 5 answers above"
    alike = {row[6].partition(" (")[0] for row in rows[-2:]}
    assert len(alike) == 1, "the mean of five that answer alike"
    assert f"74.0 % on average: {word}." in text
    assert f"**Not measured here yet, so not in the table:** {GPU_FRONTIER[trials[0]]}." in text


@pytest.mark.parametrize(("part", "text_of"), [("frontier", frontier_text), ("gpu", gpu_text)])
def test_the_page_is_of_the_networks_that_are_kept(part, text_of):
    assert is_kept(part, {})
    rows = [line for line in text_of({}).splitlines() if line.startswith("|")]
    page = kept_text(part, {}).splitlines()
    assert len(rows) > 2 and [line for line in page if line.startswith("|")] == rows, "`python -m book.kept`"


def test_the_figure_holds_the_dots_and_what_others_report():
    table = frontier_table({name: [Network(name, 60 * FRONTIER[name], 200)] * 3 for name in FRONTIER})
    drawn = frontier_figure(table)
    assert drawn.data["minutes"].tolist() == [1, 4, 15, 15, 15] and drawn.data["accuracy"].eq(0.6).all()
    (axes,) = drawn.figure.axes
    others = frontier_page.reported_accuracies()
    assert {text.get_text(): text.xy[1] for text in axes.texts} == others and len(others) >= 5
    heights = sorted(text.xyann[1] for text in axes.texts)
    assert np.diff(heights).min() >= frontier_page.LABEL_HEIGHT - 1e-9, "no name lies over another"
