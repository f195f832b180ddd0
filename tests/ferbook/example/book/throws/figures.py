"""What the chapter ``throws`` draws."""

import pandas as pd
from matplotlib import pyplot

from book.throws.study import Throws
from ferbook.page.style import BLUE, WIDTH, Drawn


def counts(throws: Throws) -> Drawn:
    """How often each side showed, as bars."""
    data = pd.DataFrame({"side": range(1, len(throws.counts) + 1), "shown": throws.counts})
    figure, axes = pyplot.subplots(figsize=(WIDTH, 2.5))
    axes.bar(data["side"], data["shown"], color=BLUE)
    axes.set(xlabel="side", ylabel="times shown", xticks=data["side"])
    least, most = data["shown"].min(), data["shown"].max()
    alt = f"Bars for {len(data)} sides of a die, the shortest {least}, the longest {most}."
    return Drawn(
        figure, data, alt, f"How often each side showed: between {least} and {most} times.", tolerance=0
    )
