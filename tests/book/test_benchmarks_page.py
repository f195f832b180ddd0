"""The page of benchmarks."""

import re

import pandas as pd

from book.benchmarks_page import KEPT_RATIOS, benchmarks_text


def test_each_device_has_a_figure_of_its_own_in_the_page_s_colours():
    text = benchmarks_text({})
    names = re.findall(r'<figure class="fer-figure" id="([^"]+)"', text)
    assert len(names) == len(set(names)) == pd.read_csv(KEPT_RATIOS)["device"].nunique()
    assert "<img" not in text and "var(--figure-ground)" in text and "#ffffff" not in text
