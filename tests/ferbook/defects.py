"""Defects that were seen to happen, and which tests keep each closed: ``pytest -m defect`` lists them."""

from collections import Counter
from collections.abc import Iterable, Iterator

import pytest

DEFECTS = {
    "C1": "one submission stops the grading of the whole class",
    "C6": "points for code that does not read what decides",
    "C8": "half a surrogate pair costs all points; cells or dicts without end take the grader's memory",
    "C9": "a list of students is misread in silence; a build with another run store names no remedy",
    "R1": "the check of a run executes the code that the run brings along",
    "R2": "numbers and weights are believed though they differ from their digests",
    "R3": "a run's words and outputs act on the page",
    "R4": "a damaged record ends in a traceback",
    "R5": "one damaged run hides all others; a pipe hangs; a link is up to date",
    "R6": "a record of weights asks for memory without end",
    "R7": "deleted or changed pages of a built book are up to date",
    "R8": "attempts share a path; the user's own start-up files are in the kernel; a name is not reserved",
    "D1": "a pipe in a copy hangs every reader",
    "D2": "ckplus: a folder in another letter case, landmarks or pictures that are gone are not told",
    "D3": "mmi: any XML is a coding; a decoder's complaint about a video is not told",
    "D4": "16-bit pictures with the values of 8 are black; a link to another picture is taken",
    "D5": "fer2013: exchanged lines of the votes are not told, even where the copy is sealed",
    "D6": "tests that were skipped for want of a browser pass as tested",
    "M1": "an even ground is not exactly 0 behind the first layer of a network without biases",
    "M2": "a training in bf16 inside a caller's autocast region spoils every later one",
    "M3": "which of several equal values a projection follows is decided by the last bit",
    "M4": "two methods whose scores are all equal are counted as two",
    "M5": "the order of equal values depends on the processor",
    "M6": "a learner cannot do what fastai's learners do",
}
"""Number -> what happened (C: the course, R: runs from elsewhere, D: data and guards, M: numbers)."""

OUTCOMES = ("passed", "failed", "error", "skipped")


def defect_table(reports: dict[str, Iterable[pytest.TestReport]]) -> Iterator[str]:
    """A line for each defect, and below it one for each test that was run for it, with how its cases ended;
    ``reports`` by outcome, as pytest's reporter keeps them.
    """
    cases: dict[str, dict[str, Counter[str]]] = {number: {} for number in DEFECTS}
    for outcome in OUTCOMES:
        for report in reports.get(outcome, ()):
            for number in (value for name, value in report.user_properties if name == "defect"):
                test = report.nodeid.partition("[")[0]
                cases[number].setdefault(test, Counter())[outcome] += 1
    for number, tests in cases.items():
        yield f"{number}  {DEFECTS[number]}{'' if tests else ': no test was run'}"
        for test, counts in sorted(tests.items()):
            yield f"    {test}: {', '.join(f'{count} {outcome}' for outcome, count in counts.items())}"
