"""What is told of a file that was handed in as a notebook."""

import json

import pytest

from ferbook.course.recognition import CELL_LIMIT, as_text, recognition

CELL = {"cell_type": "code", "source": ["a = 1\n", "b"], "metadata": {"nbgrader": {"grade_id": "task"}}}


def told(**parts):
    return recognition(json.dumps({"nbformat": 4, "cells": [CELL]} | parts).encode())


def test_kinds_names_and_sources_are_told_and_nothing_else():
    output = CELL | {"outputs": [{"output_type": "stream", "text": "x" * 99}], "attachments": {"a": {}}}
    metadata = {
        "ferbook_course": {"assignment": "dice", "variant": 3, "more": [1]},
        "kernelspec": {"name": "sh"},
    }
    found = told(cells=[output], metadata=metadata)
    assert found["said"] == {"assignment": "dice", "variant": "3"}
    (cell,) = found["notebook"]["cells"]
    assert cell["source"] == "a = 1\nb" and cell["metadata"] == {"nbgrader": {"grade_id": "task"}}
    assert cell["outputs"] == [] and found["notebook"]["metadata"] == {} and "attachments" not in cell


@pytest.mark.defect("C1", "C8")
def test_what_is_no_utf8_stands_as_its_escape():
    odd = {
        "cell_type": "markdown",
        "source": "caf\u00e9 \ud800 \U0001f600",
        "metadata": {"nbgrader": {"grade_id": "\udfff"}},
    }
    found = told(cells=[odd], metadata={"ferbook_course": {"variant": "\ud800"}})
    (cell,) = found["notebook"]["cells"]
    assert cell["source"] == "caf\u00e9 \\ud800 \U0001f600"
    assert cell["metadata"]["nbgrader"]["grade_id"] == "\\udfff" and found["said"]["variant"] == "\\ud800"
    assert as_text("\udcf6") == "\\udcf6"


@pytest.mark.defect("C1", "C8")
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"my solution", "JSONDecodeError"),
        (b"\xff\xfe{}", "UnicodeDecodeError"),
        (b'{"nbformat": 4, "cells": 7}', "no list of cells"),
        (b"[]", "no list of cells"),
        (b'{"nbformat": "\\ud800"}', r"of notebook format \\ud800; 4 is read"),
        (b'{"nbformat": 3, "worksheets": []}', "of notebook format 3"),
        (b'{"cells": [{"cell_type": "code"}]}', "cell 1 has no kind or no source"),
        (b'{"cells": [{"cell_type": "code", "source": [1]}]}', "cell 1"),
        (b'{"cells": [{"cell_type": ["code"], "source": ""}]}', "cell 1"),
        (b'{"cells": [[]]}', "cell 1"),
        (b'{"cells": [' + b"0," * CELL_LIMIT + b"0]}", f"{CELL_LIMIT + 1} cells; a notebook has at most"),
        (b'{"nbformat": ' + b"9" * 9999 + b"}", "ValueError"),
    ],
)
def test_what_is_no_notebook_says_why(content, reason):
    with pytest.raises(ValueError, match=reason):
        recognition(content)


def test_a_notebook_of_another_editor_is_one():
    assert told(metadata=[], nbformat_minor="five")["notebook"]["cells"]
    assert recognition(b"\xef\xbb\xbf" + json.dumps({"cells": [CELL]}).encode())["said"] == {}
