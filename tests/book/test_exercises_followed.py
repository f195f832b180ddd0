"""The exercises of all pages, followed at a small size: what is to be expected is what comes.

Small is the profile smoke, where a network has hardly learned. ``test_exercises_licensed.py`` has those that
need a set under licence, and says which are not followed, and why.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from ferbook import paths
from ferbook.book import chapters
from ferbook.notebook import read_notebook
from ferbook.store import REFERENCE, open_run
from tests.book.test_pages_assert import EXECUTE

RANGE = r"(-?\d+\.\d) to (-?\d+\.\d) points"


@dataclass(frozen=True)
class Followed:
    """A page that was executed below ``folder``; ``texts``: what each cell that the reader added printed; of
    a run, each cell.
    """

    folder: Path
    texts: list[str]
    fault: str

    @property
    def metrics(self):
        return json.loads((self.folder / "metrics.json").read_text())

    def number(self, name):
        return self.metrics[name]["value"]

    def width(self, name):
        return self.metrics[name]["high"] - self.metrics[name]["low"]

    def figure(self, name):
        return pd.read_csv(self.folder / "figures" / f"{name}.csv")

    def said(self, words):
        return any(words in text for text in self.texts)


def source(chapter, cell, *changes):
    """The source of a ``cell`` of the page, with ``changes`` (old, new) as a reader types them."""
    text = next(c.source for c in read_notebook(chapters()[chapter].notebook).cells if c.get("id") == cell)
    for old, new in changes:
        assert old in text, f"{chapter} has no {old!r} any more"
        text = text.replace(old, new)
    return text


@pytest.fixture
def follow(smoke_clone, tmp_path):
    """Execute a chapter's page with other parameters; with ``until``, the cells up to that one alone, and
    then the ``added`` ones.
    """

    def execute(chapter, until="", added=(), **parameters):
        folder = tmp_path / f"{chapter}-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        page = read_notebook(chapters()[chapter].notebook)
        code = [cell for cell in page.cells if cell.cell_type == "code"]
        ids = [cell.id for cell in code]
        kept = code[: ids.index(until) + 1] if until else code
        page.cells = kept + [nbformat.v4.new_code_cell(text) for text in added]
        nbformat.write(page, folder / "in.ipynb")
        done = json.loads((smoke_clone.result("smoke", chapter) / "DONE.json").read_text())
        settings = done["inputs"]["parameters"] | parameters
        own = {"PYTHONPATH": str(paths.root())}  # with the networks that are kept there
        own |= {"FER_OUTPUT": str(folder), "FER_RUN": str(smoke_clone.root / "runs" / "smoke")}
        words = [sys.executable, "-c", EXECUTE, "in.ipynb", "out.ipynb", json.dumps(settings)]
        how = {"cwd": folder, "env": smoke_clone.environment | own, "capture_output": True, "text": True}
        executed = subprocess.run(words, **how, check=True)
        texts = printed(folder / "out.ipynb")[-len(added) :] if added else []
        return Followed(folder, texts, executed.stdout.strip())

    return execute


def printed(file):
    """What each code cell of an executed page printed."""
    return [
        "".join(each.text for each in cell.get("outputs", ()) if each.output_type == "stream")
        for cell in nbformat.read(file, as_version=4).cells
        if cell.cell_type == "code"
    ]


@pytest.fixture
def page(smoke_clone):
    """The page as it is: what the run smoke holds of a chapter."""
    return lambda chapter: Followed(smoke_clone.result("smoke", chapter), [], "")


def numbers(text):
    """The numbers that a cell printed."""
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", text)]


# Chapter and number of each exercise that is followed -> the test that does.
FOLLOWED = {}


def follows(chapter, number):
    """Mark a test as that of an exercise."""

    def mark(test):
        FOLLOWED[chapter, number] = test.__name__
        return pytest.mark.slow(test)

    return mark


@follows("au_verification", 1)
def test_another_measure_claims_what_no_cause_can_verify(follow, page):
    own = follow("au_verification", measure="kl")
    assert own.fault == "" and own.number("beyond_chance") != page("au_verification").number("beyond_chance")
    assert own.number("kappa") <= page("au_verification").number("kappa") + 0.05


@follows("au_verification", 2)
def test_labels_that_change_places_picture_by_picture_move_the_bar_left(follow):
    bar = "bar = np.quantile(shuffles.max(axis=(1, 2)), 0.95)\nprint(bar, (best > bar).sum())"
    anew = source("au_verification", "within", ("shuffled(emotion)", "rng.permutation(shown).astype(float)"))
    before, _, after = map(numbers, follow("au_verification", until="within", added=[bar, anew, bar]).texts)
    assert after[0] < before[0] - 0.05 and after[1] > before[1]


@follows("au_verification", 3)
def test_filters_of_the_first_layer_go_with_units_and_are_hardly_moved_by_them(follow):
    own = follow("au_verification", layer="relu1")
    assert own.number("beyond_chance") > own.number("beyond_emotion") >= own.number("verified")
    assert own.number("verified") <= 0.1 * own.number("filters")


@follows("deconvolution", 1)
def test_little_of_a_gradient_is_left_with_random_weights(follow):
    own = follow("deconvolution", method="gradient")
    assert own.number("random_weights_gradient") < 0.5 * own.number("random_weights_deconv")


@follows("deconvolution", 2)
def test_filters_of_an_earlier_layer_keep_less_to_places(follow, page):
    own, last = follow("deconvolution", layer="relu2"), page("deconvolution")
    assert own.number("receptive_field") < last.number("receptive_field")
    assert own.number("place_share") < last.number("place_share")


@follows("deconvolution", 3)
def test_only_a_largest_number_moves_a_switch(follow):
    way = [source("deconvolution", cell) for cell in ("up", "way-down", "how-it-works")]
    moved = "print((switches != old).sum().item())"
    change = "study.TOY_PICTURE[{}] += {}"
    added = [change.format("0, 1", 0.5), *way, moved, change.format("1, 4", 9), *way, moved]
    own = follow("deconvolution", until="how-it-works", added=["old = switches.clone()", *added])
    assert own.fault == "" and [own.texts[place].strip() for place in (5, 10)] == ["0", "1"]


@follows("derl", 1)
def test_longer_training_makes_better_neutral_faces(follow, page):
    assert follow("derl", gan_epochs=6).number("psnr_gain") > page("derl").number("psnr_gain")


@follows("derl", 2)
def test_without_skips_the_gain_falls(follow):
    with_skips, without = (follow("derl", gan_epochs=6, skips=skips) for skips in (True, False))
    assert without.number("psnr_gain") < with_skips.number("psnr_gain")


@follows("derl", 4)
def test_a_wider_toy_gains_a_little(follow):
    seed, game = "torch.manual_seed(0)", source("derl", "toy-game")
    layers = "1, 16, {0}), nn.ReLU(), nn.Conv2d(16, 1, {0}"
    wide = source("derl", "toy", (layers.format("5, 1, 2"), layers.format("9, 1, 4")))
    own = follow("derl", until="toy-game", added=[seed, source("derl", "toy"), game, seed, wide, game])
    narrow, wider = (numbers(own.texts[place])[0] for place in (2, 5))
    assert wider > narrow


@follows("faces", 1)
def test_of_closed_eyes_nearly_the_whole_region_changes(follow):
    ask = "print(iou(seen, region), region.sum())"
    added = [text for au in ("AU25", "AU43") for text in (source("faces", "one-unit", ("AU12", au)), ask)]
    (lips, of_lips), (eyes, of_eyes) = map(numbers, follow("faces", until="iou", added=added).texts[1::2])
    assert lips < 0.4 < 0.5 < eyes and of_lips > 5 * of_eyes


@follows("faces", 2)
def test_without_the_sequence_alone_a_set_may_look_honest(follow):
    ask = "print(right_share(take[:, None] == take), honest, leaky)"
    take = 'take = family.table["sequence"].to_numpy()'
    by_sequence, honest, leaky = numbers(follow("faces", until="leak", added=[take, ask]).texts[1])
    assert abs(by_sequence - honest) < 0.1 < leaky - by_sequence


@follows("faces", 3)
def test_in_clips_the_emotion_tells_less_about_units(follow, page):
    own, posed = follow("faces", faces="micro"), page("faces")
    assert own.number("information_median") < posed.number("information_median")


@follows("micro_expressions", 1)
def test_the_order_is_worth_most_where_it_is_all_that_tells(follow):
    own = follow("micro_expressions", retimed=True)
    assert own.fault == "" and {"order_gain_untimed", "order_gain_in_turn_courses"} <= {*own.metrics}
    # How much is gained by networks that have learned: those of the reference.
    gains = open_run(REFERENCE).result("micro_expressions").metrics()
    names = ("order_gain_untimed", "order_gain_in_turn", "order_gain_in_turn_courses")
    together, features, courses = map(gains.get, names)
    assert together.low < 0 < together.high < features.low < features.high < courses.low


@follows("micro_expressions", 2)
def test_longer_training_gives_choosing_more_luck(follow, page):
    own, short = follow("micro_expressions", epochs=40), page("micro_expressions")
    assert own.number("selection_gain_uf1") > short.number("selection_gain_uf1")
    assert abs(own.number("uf1") - short.number("uf1")) < 0.15


@follows("structure_and_loss", 1)
def test_with_seeds_an_interval_becomes_wider_at_first(follow):
    one, three = (follow("structure_and_loss", kept=False, seeds=seeds) for seeds in (1, 3))
    assert three.width("structure_gain") > one.width("structure_gain")


@follows("structure_and_loss", 2)
def test_a_training_against_itself_differs_by_nothing_and_unpaired_by_chance(follow):
    line = "first, second = (own.to_numpy() / own.sum() for own in of_both)  # sum to one"
    shown = source("structure_and_loss", "paired-assert").partition("direct")[0]
    pair = "first, second = np.eye(len(scores.table))[{}]"
    added = [
        text
        for rows in ([0, -1], [-1, -1])  # after so few epochs the first says the same of everybody
        for text in (source("structure_and_loss", "paired", (line, f"{line}\n{pair.format(rows)}")), shown)
    ]
    two, same = follow("structure_and_loss", until="paired-assert", added=added).texts[1::2]
    widths = [[float(high) - float(low) for low, high in re.findall(RANGE, text)] for text in (two, same)]
    assert widths[0][0] <= widths[0][1] and widths[1][0] == 0 < widths[1][1]


@follows("structure_and_loss", 3)
def test_longer_training_makes_networks_surer_than_they_are_right(follow):
    short, long = (follow("structure_and_loss", kept=False, epochs=epochs) for epochs in (1, 20))
    curves = [own.figure("reliability") for own in (short, long)]
    sure = [np.average(curve["confidence"], weights=curve["pictures"]) for curve in curves]
    assert sure[1] > sure[0] + 0.05
    assert long.number("ece_cross_entropy") > short.number("ece_cross_entropy")


@follows("training", 1)
def test_by_pictures_the_interval_of_the_bootstrap_is_another_than_the_printed_one(follow):
    by_picture = source("training", "bootstrap", ("np.unique(people", "np.unique(np.arange(len(labels))"))
    next_cell = source("training", "luck-of-training")
    own = follow("training", until="luck-of-training", added=[by_picture, next_cell], epochs=12)
    assert own.fault == "AssertionError" and "points more" in own.texts[0]


@follows("training", 2)
def test_those_who_choose_among_more_candidates_are_luckier(follow):
    line = "right = tested.candidates.argmax(axis=2) == first.labels(classes)"
    few = [source("training", "halves", (line, f"{line}\nright = right[:{count}]")) for count in (2, 4, 12)]
    own = follow("training", until="halves", added=few, epochs=12)
    counts, chose, *_ = zip(*map(numbers, own.texts), strict=True)
    assert counts == (2, 4, 12) and chose[0] < chose[1] < chose[2]


@follows("training", 3)
def test_where_faces_stand_alike_strong_augmentation_slows_learning(follow):
    plain, strong = (follow("training", epochs=12, augment=augment) for augment in ("none", "published"))
    losses = [own.figure("learning_curve")["train_loss"].iloc[-1] for own in (plain, strong)]
    assert losses[1] > losses[0]


@follows("transfer", 1)
def test_the_more_varied_set_loses_less_in_some_pairs_and_more_in_others(follow):
    own = follow("transfer", faces="wild", beside="lab:24")
    assert own.fault == "" and {"transfer_drop", "cross_dataset_accuracy"} <= {*own.metrics}
    # How much is seen in networks of larger trainings: those of the reference.
    pairs = pd.read_csv(open_run(REFERENCE).result("transfer").folder / "figures" / "pairs.csv")
    degree = pairs.set_index(["trained_on", "tested_on"])["degree"]
    varied = [("game", "lab"), ("wild", "lab"), ("fer2013", "lab"), ("wild", "game"), ("fer2013", "game")]
    less = [degree[pair] > degree[pair[::-1]] for pair in varied]
    assert 0 < sum(less) < len(less)


@follows("transfer", 2)
def test_one_number_that_is_fitted_at_home_lowers_the_error_there(follow):
    fit = """
def again(asked, by):
    scaled = np.log(asked[0]) / by
    scaled = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return expected_calibration_error(scaled / scaled.sum(axis=1, keepdims=True), asked[1])


tried = np.linspace(0.5, 5, 46)
best = tried[np.argmin([again(at_home, by) for by in tried])]
print(again(at_home, 1), again(at_home, best))
"""
    own = follow("transfer", until="ece-check", added=[fit])
    before, after = numbers(own.texts[0])
    assert own.fault == "" and after < before


@follows("truth", 1)
def test_edges_win_contrast(follow):
    lines = source("truth", "lead-by-hand", ('"correctness"', '"contrast"')).splitlines()
    added = ["\n".join(line for line in lines if "assert" not in line), "print(correct.mean().idxmax())"]
    own = follow("truth", until="lead-by-hand", added=added)
    assert "edges" in own.texts[1] and all(number < 0 for number in numbers(own.texts[0])[::2])


@follows("truth", 2)
def test_networks_of_photographs_order_the_methods_alike(follow, page):
    own = follow("truth", population="photographs_zero_bias", networks=2, size=48)
    drawn = [each.figure("verdicts").query("panel == 'correctness, lead'") for each in (own, page("truth"))]
    scores = [each.set_index("label")["value"] for each in drawn]
    assert own.fault == "" and scores[0].corr(scores[1], method="spearman") > 0.5


@follows("truth", 3)
def test_with_more_units_intervals_become_narrower(follow, page):
    widths = [
        each.figure("verdicts").eval("width = high - low").groupby("panel")["width"].median()
        for each in (follow("truth", map_units=8), page("truth"))
    ]
    # The panel of sanity is drawn where a map of random weights is not dark, which of few units may be none.
    panels = widths[1].index
    assert {"correctness, lead", "right unit, lead"} <= set(panels) <= set(widths[0].index)
    # Not each: the page has two neurons, which may agree in one by chance.
    assert widths[0]["correctness, lead"] < widths[1]["correctness, lead"]
