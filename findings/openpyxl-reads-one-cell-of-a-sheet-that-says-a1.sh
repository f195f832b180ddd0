#!/usr/bin/env bash
# A sheet of codes was written by a program that fills in the size of the sheet only as A1.
# One would guess: the size is a hint, and all rows are read, the more so with read_only=True, which
# streams.
# What happens: read_only=True gives one row with one cell and no warning; the same file without read_only,
# and pandas.read_excel, give all rows. worksheet.reset_dimensions() before reading mends it.
# Source: openpyxl 3.1.5, run; the file is made here and valid (the size is optional in the format).
# Why it matters: codes of face sets come as sheets from many programs. A loader that streams finds the
# header's first word and no codes, and says that nobody shows anything.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv own
own/bin/pip install -q openpyxl==3.1.5 pandas==3.1.1
own/bin/python - <<'PYTHON'
import re
import zipfile

import openpyxl
import pandas as pd

book = openpyxl.Workbook()
for row in (["file", "AU12"], *([f"{k}.png", k % 2] for k in range(5))):
    book.active.append(row)
book.save("whole.xlsx")
with zipfile.ZipFile("whole.xlsx") as whole, zipfile.ZipFile("codes.xlsx", "w") as codes:
    for name in whole.namelist():
        content = whole.read(name)
        codes.writestr(name, re.sub(rb'<dimension ref="[^"]*"', b'<dimension ref="A1"', content))


def rows(reset=False, **options):
    sheet = openpyxl.load_workbook("codes.xlsx", **options).active
    if reset:
        sheet.reset_dimensions()
    return list(sheet.iter_rows(values_only=True))


streamed, plain, mended = rows(read_only=True), rows(), rows(read_only=True, reset=True)
print(f"openpyxl {openpyxl.__version__}: streamed {streamed}, plain {len(plain)} rows, mended {len(mended)}")
print(f"pandas {pd.__version__}: {len(pd.read_excel('codes.xlsx'))} rows below the header")
assert streamed == [("file",)] and len(plain) == len(mended) == 6 and len(pd.read_excel("codes.xlsx")) == 5
PYTHON
