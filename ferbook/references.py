"""What papers report, as a table for a page."""

import pandas as pd

from ferbook import paths
from ferbook.claims import CERTAINTIES, read_claims
from ferbook.page.tables import Table
from ferbook.text import PERCENT


def reported_table(chapter: str) -> Table:
    """Return what papers report on the subject of a chapter, for its page: ``paper``, ``data``, ``accuracy``
    with the digits that the paper gives, ``how sure``, shown by its letter, which the caption explains, and
    ``remark``, ``users report`` and ``where`` if there are any.
    """
    report = read_claims(paths.claims_file()).reported[chapter]
    rows = [
        each.model_dump()
        | {"how sure": f"{each.certainty}: {CERTAINTIES[each.certainty]}"}
        | {"users report": ", ".join(f"{100 * share:g} %" for share in each.users)}
        for each in report.numbers
    ]
    columns = ["paper", "data", "accuracy", "how sure", "remark", "users report", "where"]
    table = pd.DataFrame(rows)[columns].replace("", None).astype({"accuracy": float})
    table = table.dropna(axis="columns", how="all")
    shown = {"accuracy": lambda share: f"{100 * share:.4g}{PERCENT}", "how sure": lambda text: text[0]}
    return Table(table, f"{report.caption}. {'; '.join(table['how sure'].unique())}", shown)
