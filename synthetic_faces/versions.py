"""The version of each domain's pictures in this checkout; light to import.

A set is named by its version, not by the code that made it. A change of a picture, a label or of who is in a
set needs a new version in the same commit: ``tests/synthetic_faces/test_versions.py`` has pictures of this
one.
"""

import re

from synthetic_faces.errors import SettingError

# Domain -> the version that is made here, and that its name alone means.
VERSIONS = {"lab": 2, "wild": 2, "game": 2, "micro": 2, "heads": 1}


def versioned(name: str) -> str:
    """Return ``lab/2``: the domain ``name`` with the version that is made here."""
    return f"{name}/{VERSIONS[name]}"


def unversioned(name: str) -> str:
    """Return the domain of ``name``, ``lab`` or ``lab/2``; raise SettingError for an unknown one, and for a
    version that is not made here.
    """
    domain, slash, _ = name.partition("/")
    if domain not in VERSIONS:
        raise SettingError(f"no synthetic domain {domain!r}; the domains are {', '.join(VERSIONS)}")
    if slash and name != versioned(domain):
        raise SettingError(f"{name} is not made here: this checkout makes {versioned(domain)}")
    return domain


def version_in(text: str) -> str:
    """Return the version at the start of ``text``: ``lab/2`` for ``lab/2`` and ``lab-2-…``; ``lab/1`` for
    ``lab`` alone, the form before there were versions; empty for no domain.
    """
    match = re.match(rf"({'|'.join(VERSIONS)})(?:[/-](\d{{1,4}})\b)?\b", text)
    return f"{match[1]}/{match[2] or 1}" if match else ""


def another(name: str) -> str:
    """Return, in words, both versions if the faces ``name`` had another one than is made here; else empty."""
    version = version_in(name)
    here = version and versioned(version.partition("/")[0])
    return f"{version}, while this checkout makes {here}" if version != here else ""
