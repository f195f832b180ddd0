"""Where a page comes from: the table that ends it, and the command that makes it again."""

import shlex

from book.profiles import profile_values
from ferbook.book import CHAPTERS, with_upstream
from ferbook.store import Run
from ferbook.text import number_text


def reproduce_command(run: Run, chapter: str | None = None) -> str:
    """The ``ferbook run`` line that makes a chapter again, with what it depends on; or all that was asked."""
    request = run.record()["request"]
    profile, asked = request["profile"], request["parameters"]
    names = [c.name for c in with_upstream([chapter] if chapter else []) if c.name in asked]
    chapters = [chapter] if chapter else names if len(names) < len(CHAPTERS) else []
    words = ["ferbook", "run", *chapters, "--profile", profile]
    said: set[str] = set()
    for name in names:
        values = asked[name]
        expected = CHAPTERS[name].parameters().model_dump() | profile_values(name, profile, values["faces"])
        for field, value in values.items():
            # A field that the model no longer has cannot be asked for.
            if field not in expected or value == expected[field]:
                continue
            everywhere = {asked[other][field] for other in names if field in asked[other]} == {value}
            key = field if everywhere else f"{name}.{field}"
            if key not in said:
                said.add(key)
                words += ["--faces", str(value)] if key == "faces" else ["-p", f"{key}={value}"]
    return shlex.join(words)


def _provenance_rows(run: Run, chapter: str) -> list[tuple[str, str]]:
    # Not from run.yaml: a run that was killed has finished chapters of which its record does not know.
    made = run.result(chapter).summary()
    parameters = ", ".join(f"`{name}={value}`" for name, value in made["parameters"].items())
    versions = ", ".join(f"{name} {number}" for name, number in made["packages"].items())
    opened = {  # a chapter need not open any faces
        "Data": [made["data"]] if "data" in made else [],
        "Beside it": made.get("beside", []),
    }
    data = [
        (what, f"`{d['name']}`, {d['pictures']:,} pictures, SHA-256 `{d['checksum'][:16]}…`")
        for what, sets in opened.items()
        for d in sets
    ]
    device = made["device"]
    if "precision" in made:
        device += (
            f", {made['precision']['name']}{' channels-last' if made['precision']['channels_last'] else ''}"
        )
    return [
        ("Run", f"`{run.name}`, profile `{run.record()['request']['profile']}`, commit `{made['commit']}`"),
        ("Parameters", parameters),
        *data,
        ("Device", device),
        ("Software", versions),
        ("Executed", f"{made['finished']}, in {number_text(made['seconds'], 'seconds')}"),
        ("This page again", f"`{reproduce_command(run, chapter)}`"),
    ]


def provenance(run: Run, chapter: str | None = None) -> str:
    """The MyST table that ends a page: run, parameters, data, device, time, command.

    For a page of prose (``chapter`` None) it names the run whose numbers the page may quote.
    """
    record = run.record()
    rows = (
        _provenance_rows(run, chapter)
        if chapter
        else [
            ("Run", f"`{run.name}`, profile `{record['request']['profile']}`, commit `{record['commit']}`"),
            ("Changed", record["changed"]),
            ("This book again", f"`{reproduce_command(run)}`, then `ferbook build --run {run.name}`"),
        ]
    )
    lines = ["## Provenance", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    return "\n".join(lines) + "\n"
