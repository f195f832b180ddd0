"""Where a page comes from: the table that ends it, and the command that makes it again."""

import shlex
from contextlib import suppress

from ferbook.book import chapters, suite, with_upstream
from ferbook.errors import ParameterError
from ferbook.request import Request
from ferbook.store import ChapterResult, Run
from ferbook.text import number_text


def reproduce_command(run: Run, chapter: str | None = None, *, into: bool = False) -> str:
    """Return the ``ferbook run`` line that makes a chapter again, with what it depends on; or the whole run.
    ``into``: in the run of the same name.
    """
    profile, parameters = run.record()["request"]["profile"], run.parameters()
    names = [c.name for c in with_upstream([chapter] if chapter else chapters()) if c.name in parameters]
    some = [chapter] if chapter else names if len(names) < len(chapters()) else []
    words = ["ferbook", "run", *some, "--profile", profile]
    options: dict[str, list[str]] = {}
    for name in names:
        values = parameters[name]
        model = chapters()[name].parameters
        # What names a run decides what its profile sets.
        identity = {field: values[field] for field in suite().named_by}
        idle = model.idle(values)
        defaults = model().model_dump() | model.of_profile(chapters()[name].profiles, profile, identity)
        for field, value in values.items():
            # A field that the model no longer has cannot be given, nor one that has no effect.
            if value == defaults.get(field, value) or field in idle:
                continue
            everywhere = all(parameters[other].get(field, value) == value for other in names)
            key = field if everywhere and _is_allowed(profile, field, value) else f"{name}.{field}"
            options[key] = [f"--{key}", str(value)] if key in suite().named_by else ["-p", f"{key}={value}"]
    words += [word for option in options.values() for word in option]
    return shlex.join([*words, "--run", run.name] if into else words)


def _is_allowed(profile: str, field: str, value: object) -> bool:
    """Return whether every chapter that has such a field takes the value."""
    with suppress(ParameterError):
        Request(profile, {field: value}).check()
        return True
    return False


def _made_from(result: ChapterResult) -> list[tuple[str, str]]:
    record = result.summary()
    idle = chapters()[result.chapter].parameters.idle(record["parameters"])
    acting = {name: value for name, value in record["parameters"].items() if name not in idle}
    versions = ", ".join(f"{name} {number}" for name, number in record["packages"].items())
    return [
        ("Parameters", ", ".join(f"`{name}={value}`" for name, value in acting.items())),
        *result.record().provenance,
        *([("Device", record["device"])] if "device" in record else []),
        *([("Software", versions)] if versions else []),
        ("Executed", f"{record['finished']}, in {number_text(record.get('seconds', 0.0), 'seconds')}"),
    ]


def provenance(run: Run, chapter: str | None = None, reference: ChapterResult | None = None) -> str:
    """Return the MyST table that ends a page: run, parameters, data, device, time, command, and the
    reference's result with which it is compared.

    For a page of prose (``chapter`` None) it names the run whose numbers the page may quote.
    """
    record = run.record()
    # Not from run.yaml: a run that was killed has finished chapters of which its record does not know.
    summary = run.result(chapter).summary() if chapter else record
    profile, commit = record["request"]["profile"], summary.get("commit", "unknown")
    rows = [("Run", f"`{run.name}`, profile `{profile}`, commit `{commit}`")]
    if chapter:
        rows += _made_from(run.result(chapter))
        if reference:
            other, name = reference.summary(), reference.folder.parent.name
            about = f"run `{name}`, commit `{other.get('commit', 'unknown')}`"
            extent = (about, reference.record().extent, f"executed {other['finished']}")
            rows.append(("Compared with", ", ".join(filter(None, extent))))
        rows.append(("This page again", f"`{reproduce_command(run, chapter)}`"))
    else:
        again = f"`{reproduce_command(run, into=True)}`, then `ferbook build --run {run.name}`"
        rows += [("Changed", record["changed"]), ("This book again", again)]
    lines = ["## Provenance", "", ":::{dropdown} How this page was made", "", "| What | Which |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in rows]
    return "\n".join([*lines, "", ":::"]) + "\n"
