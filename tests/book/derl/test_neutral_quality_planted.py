"""The control of stage one: generators that were told the true neutral faces and make them a little blurred.
Whether they pass the gate is what ``claims.yaml`` says of ``neutral_told``.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from book.derl.chapter import CHAPTER
from book.derl.neutral_quality import GENERATED, quality, quality_metrics, summarise_quality
from book.derl.pairs import Lessons, expression_pairs
from book.populations import find_population

PEOPLE = 120
"""By whom they are judged: as many as in the reference."""

BLUR, NOISE = 0.35, 1.0
"""Standard deviations: of the blur in pixels, and of the noise of each training in grey levels."""


class ToldGenerator(nn.Module):
    """Makes of each tested picture of ``lessons`` its true neutral face, blurred and with noise of its
    own.
    """

    def __init__(self, lessons: Lessons, seed: int) -> None:
        super().__init__()
        truth = gaussian_filter(lessons.truth.astype(np.float32), (0, BLUR, BLUR))
        made = truth + NOISE * np.random.default_rng(seed).normal(size=truth.shape)
        self.told = {
            picture.tobytes(): torch.tensor(neutral, dtype=torch.float32) / 255
            for picture, neutral in zip(lessons.tested.pixels, made, strict=True)
        }

    def forward(self, pictures: Tensor) -> Tensor:
        grey = (255 * pictures).round().byte().numpy()
        return torch.stack([self.told[picture.tobytes()] for picture in grey])[:, None].clamp(0, 1)


@pytest.mark.slow
def test_claims_says_whether_generators_that_were_told_the_truth_pass_the_gate(planted_answers):
    p = CHAPTER.parameters(**CHAPTER.profiles["reference"])
    half = p.pretrain_expressions // 2
    tested, at_rest = expression_pairs(PEOPLE, p.size, expressions=p.pretrain_expressions, takes=half)
    truth = tested.gather(at_rest)
    pairs = tested.pixels, truth
    lessons = Lessons(pairs, pairs, tested.table["subject"].to_numpy(str), tested, truth, "")
    judge = find_population("published").kept()[0]
    classes, network = tuple(judge.done()["classes"]), judge.network()
    told = [
        quality(lessons, {GENERATED: ToldGenerator(lessons, seed)}, network, classes).assign(training=seed)
        for seed in range(p.seeds)
    ]
    metrics = quality_metrics(summarise_quality(pd.concat(told), draws=p.bootstrap, seed=p.seed))
    answers, finds = planted_answers("neutral_told", derl=metrics)
    assert (answers == {"yes"}) is finds
