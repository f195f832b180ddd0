"""Parts of pages: templates and pictures, tables from the CSVs next to this file, the ratios of
``make bench``, and the comments of ``findings/*.sh``.
"""

import base64
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib import ticker
from PIL import Image

from ferbook.estimate import Estimate
from ferbook.page.figure import unstored_figure
from ferbook.page.forest import Axis, forest
from ferbook.page.style import Drawn
from ferbook.store import ChapterResult
from ferbook.text import bounds_text, number_text


def picture_address(content: bytes, kind: str) -> str:
    """The ``content`` of a picture file as an address, so that a page needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def webp_address(pixels: np.ndarray, **options: object) -> str:
    """``pixels`` uint8, grey (H, W) or in colours (H, W, 3), as an address; ``options`` as Pillow's."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "WEBP", **options or {"quality": 80})
    return picture_address(stream.getvalue(), "webp")


def markdown_table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of MyST with a line per row, below the line of the ``heads``."""
    lines = (f"| {' | '.join(cells)} |" for cells in (heads, *rows))
    return "\n".join([next(lines), "|---" * len(heads) + "|", *lines])


# The HTML files next to this file.
_HERE = FileSystemLoader(Path(__file__).parent)
TEMPLATES = Environment(loader=_HERE, autoescape=True, undefined=StrictUndefined, trim_blocks=True)

TEMPLATES.filters |= {"bounds": bounds_text, "number": number_text, "webp": webp_address}

# Name of a CSV -> column -> its heading, and the unit of its numbers (``ferbook.text.number_text``). Bounds
# are in ``<column>_low`` and ``<column>_high``; ``device`` and ``when`` say where and when it was measured.
TABLES = {
    "costs": {
        "what": ("what", ""),
        "against": ("against", ""),
        "smallest": ("from", "count"),
        "largest": ("to", "count"),
        "exponent": ("exponent", ""),
        "seconds": ("at the largest", "seconds"),
        "megabytes": ("at most, MB in all", "count"),
    },
    "frontier": {
        "population": ("population", ""),
        "optimiser": ("by", ""),
        "seconds": ("took", "seconds"),
        "epochs": ("epochs", "count"),
        "networks": ("networks", "count"),
        "validation": ("PublicTest", "share"),
        "test": ("PrivateTest", "share"),
        "test_without_copies": ("without the copies", "share"),
    },
    "layouts": {
        "layout": ("set", ""),
        "pictures": ("pictures", "count"),
        "reading_seconds": ("reading", "seconds"),
        "chapters": ("chapters", "count"),
        "slowest": ("the slowest", ""),
        "slowest_seconds": ("its time", "seconds"),
        "peak_mib": ("MiB", "count"),
    },
    "real_units": {
        "unit": ("unit", ""),
        "shown_by": ("shown by", ""),
        "shown": ("pictures", "count"),
        "auroc": ("AUROC", ""),
        "over_untrained": ("over untrained", ""),
        "over_other_heads": ("over other heads", ""),
        "carries_over": ("carries over", ""),
    },
}


def csv_table(name: str, results: Mapping[str, ChapterResult]) -> str:
    """The table ``name`` as a page shows it, in MyST."""
    table = pd.read_csv(Path(__file__).with_name(f"{name}.csv"), keep_default_na=False, na_values=[""])
    columns = TABLES[name].items()
    rows = table.to_dict("records")
    cells = [[_cell(row, column, unit) for column, (_, unit) in columns] for row in rows]
    text = markdown_table([title for _, (title, _) in columns], cells)
    if "device" in table:
        days = " to ".join(dict.fromkeys(day[:10] for day in (min(table["when"]), max(table["when"]))))
        text += f"\n\nMeasured on {'; '.join(sorted(table['device'].unique()))}; {days}."
    return text


def _cell(row: Mapping[str, object], column: str, unit: str) -> str:
    value, low, high = (row.get(name) for name in (column, f"{column}_low", f"{column}_high"))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return "–"
    estimate = Estimate.bounded(value, low, high, how="measured once", unit=unit)
    return bounds_text(estimate, decimals=None if unit or pd.isna(low) else 2)


# One for each table, for the lines of pages that ``suite`` fills.
costs, frontier, layouts, real_units = (partial(csv_table, name) for name in TABLES)


# The ratios of ``make bench``, one row per ratio and device.
KEPT_RATIOS = Path(__file__).with_name("benchmarks.csv")

# ``benchmark.ratio`` -> the task, and its baseline.
CONTESTS = {
    "nulls.auroc_scipy": ("null of AUROC", "SciPy, call by call"),
    "nulls.auroc_numpy": ("null of AUROC", "NumPy, ranks once"),
    "nulls.kl_scipy": ("null of divergence", "SciPy, call by call"),
    "nulls.kl_numpy": ("null of divergence", "NumPy, bins once"),
    "deconv.captum_processor": ("deconvolution", "Captum"),
    "deconv.one_by_one_processor": ("deconvolution", "one neuron at a time"),
    "deconv.captum": ("deconvolution, clock", "Captum"),
    "deconv.one_by_one": ("deconvolution, clock", "one neuron at a time"),
    "training.stock_fastai": ("training", "fastai as it comes"),
    "training.fastai_without_workers": ("training", "fastai, no workers"),
    "training.bare": ("training", "a bare loop"),
    "training.bare_compiled": ("training", "a bare loop, compiled"),
    "training.chosen_precision": ("number format that is chosen", "the other"),
    "training.bf16_channels_last": ("bf16, channels last", "float32"),
    "training.torchvision_workers": ("batches", "torchvision, 2 workers"),
    "training.torchvision_without_workers": ("batches", "torchvision"),
    "lstm.folds_batched": ("LSTMs, all folds at once", "one by one"),
    "lstm.folds_in_processes": ("LSTMs, all folds at once", "torch in processes"),
    "sweep.workers": ("a sweep, two workers", "one worker"),
    "checkouts.make book": ("make book from a bare clone", "28 November's"),
}


def benchmarks_text(results: Mapping[str, ChapterResult]) -> str:
    """``KEPT_RATIOS`` as a page shows it: a figure and a table for each device, and what was not run."""
    table = pd.read_csv(KEPT_RATIOS, keep_default_na=False)
    table.index = table["benchmark"] + "." + table["ratio"]
    table = table[table.index.isin(CONTESTS)].sort_values("value", ascending=False, kind="stable")
    devices = enumerate(table.groupby("device", sort=False), 1)
    parts = [_of_device(number, device, own) for number, (device, own) in devices]
    absent = [
        f"{what}, compared with {rival}"
        for name, (what, rival) in CONTESTS.items()
        if name not in table.index
    ]
    if absent:
        parts.append(f"**Not measured here yet, so not in the table:** {'; '.join(absent)}.")
    return "\n\n".join(parts)


def _of_device(number: int, device: str, rows: pd.DataFrame) -> str:
    slower = rows[rows["value"] < 1]
    loads = " to ".join(dict.fromkeys(f"{load:.0f}" for load in (rows["load"].min(), rows["load"].max())))
    verdict = (
        f"{len(slower)} of {len(rows)} are slower than their baseline" if len(slower) else "None is slower"
    )
    cells = []
    for name, row in rows.iterrows():
        value, low, high = (number_text(row[part]) for part in ("value", "low", "high"))
        day = row["when"][:10].replace("-", "\N{NON-BREAKING HYPHEN}")
        measured = f"{low} to {high}", str(row["repetitions"]), day, f"`{row['commit'][:8]}`"
        cells.append([*CONTESTS[name], value, *measured])
    heads = "task", "baseline", "times as fast", "smallest to largest", "repetitions", "date", "commit"
    versions = "; ".join(dict.fromkeys(rows["versions"]))
    threads = ", ".join(map(str, sorted(set(rows["threads"]))))
    parts = [
        f"## {device}",
        f"{verdict}. Meanwhile {loads} program{'s' * (loads != '1')} wanted a core of this machine at once, "
        "those measured among them.",
        unstored_figure(f"ratios-{number}", ratios_figure(rows, device)),
        markdown_table(heads, cells),
        f"Threads: {threads}. Versions: {versions}.",
    ]
    return "\n\n".join(parts)


def ratios_figure(rows: pd.DataFrame, device: str) -> Drawn:
    """A dot with its spread for each ratio of ``rows``, on an axis of factors."""
    bounds = min(0.4, 0.8 * rows["low"].min()), 1.5 * rows["high"].max()
    decades = bounds[1] > 10 * bounds[0]
    plot = forest(
        rows.reset_index(drop=True)[["value", "low", "high"]].assign(
            label=[" / ".join(CONTESTS[name]) for name in rows.index], main=rows["value"].lt(1).array
        ),
        measured="times as fast as the baseline",
        axis=Axis(unit="", null=1.0, null_name="as fast"),
        alt=f"Dots with lines: how many times as fast ours is as each baseline, on {device}.",
        caption="The dot is the median of all repetitions; the line reaches from smallest to largest. "
        "Left of the dashed line, in red, ours is slower."
        + (" Each step of the axis is a factor of ten." if decades else ""),
    )
    (axes,) = plot.figure.axes
    axes.set_xscale("log")
    axes.set_xlim(*bounds)
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1,) if decades else (1, 2, 5), numticks=6))
    axes.xaxis.set_major_formatter(lambda factor, _: f"{factor:g}")
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    return plot


FINDINGS = Path(__file__).parents[1] / "findings"

# How the sentences of a comment begin, in order, after what it is about.
COMMENT_PARTS = ("One would guess", "What happens", "Source", "Why it matters")


def finding_parts(script: str) -> list[str]:
    """What the comment of a script says: what it is about, and each of ``COMMENT_PARTS``, in one line each.
    Raises ValueError where one is missing.
    """
    comment = re.match(r"#!.*\n((?:#.*\n)+)", script)
    text = " ".join(line.removeprefix("#").strip() for line in comment[1].splitlines()) if comment else ""
    parts = re.split("|".join(rf"\b{part}:" for part in COMMENT_PARTS), text)
    if len(parts) != len(COMMENT_PARTS) + 1 or not all(map(str.strip, parts)):
        raise ValueError(f"expected a comment that says {', '.join(COMMENT_PARTS)}")
    return [part.strip() for part in parts]


def findings(results: Mapping[str, ChapterResult]) -> str:
    """All findings as a page shows them, in MyST."""
    lines = []
    for file in sorted(FINDINGS.glob("*.sh")):
        about, *parts = finding_parts(file.read_text(encoding="utf-8"))
        sentences = (f"*{part}:* {text}" for part, text in zip(COMMENT_PARTS, parts, strict=True))
        lines += [f"## `{file.stem}`", "", " ".join([about, *sentences]), ""]
    return "\n".join(lines)
