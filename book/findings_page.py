"""The page of findings: what the comments of ``findings/*.sh`` say of libraries that others wrote."""

import re
from collections.abc import Mapping
from pathlib import Path

from ferbook.store import ChapterResult

FINDINGS = Path(__file__).parents[1] / "findings"

COMMENT_PARTS = ("One would guess", "What happens", "Source", "Why it matters")
"""How the sentences of a comment begin, in order, after what it is about."""


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
