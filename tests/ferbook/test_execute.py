"""Executing a chapter: what papermill is given."""

from pathlib import Path

import pytest
from papermill.parameterize import parameterize_path

from ferbook.execute import _literal


@pytest.mark.parametrize("path", ["/plain/a.ipynb", "/with {seed}/{} {{x}}/a.ipynb", "/half {/a} b.ipynb"])
def test_papermill_takes_a_path_with_braces_as_it_stands(path):
    assert parameterize_path(_literal(Path(path)), {"seed": 3}) == path
