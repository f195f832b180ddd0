"""The tests mirror the source: ``tests/<room>/test_<module>.py`` tests that module, and
``test_<module>_<aspect>.py`` an aspect of it.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
ROOMS = {"book", "face_sets", "fer_lib", "ferbook", "synthetic_faces", "benchmarks"}
# Tests of several modules at once, and what of them.
ACROSS = {
    "book/test_contributing": "what CONTRIBUTING promises",
    "book/test_drawn": "every figure of the reference: its words and what its marks say",
    "book/test_notebooks": "every page as it is stored",
    "book/test_own_pictures": "twelve pictures, as the page says",
    "book/test_pages_assert": "every page, with a function of the library changed",
    "book/test_one_chapter": "one chapter from run to status and check",
    "book/test_partial_book": "a book that lacks chapters",
    "book/test_readme": "the commands of README, CONTRIBUTING and the pages, as they are written",
    "book/test_recomputed": "numbers of the reference, by numpy alone",
    "book/test_exercises": "what the exercises of all pages quote",
    "book/test_exercises_followed": "what the exercises of all pages say is to be expected",
    "book/test_exercises_licensed": "what those say that need a set under licence; and that all are followed",
    "book/test_whole_suite": "the two commands in a clone",
    "face_sets/readers/test_copies": "official copies as people have them, and names that are keys",
    "face_sets/readers/test_damage": "every layout, damaged",
    "face_sets/readers/test_every_reader": "what each reader owes",
    "face_sets/readers/test_wrong_inputs": "one table of wrong inputs, of every reader",
    "fer_lib/test_library": "scripts of twelve lines, and what they import",
    "fer_lib/test_misspelt_names": "every name that chooses what is computed",
    "ferbook/test_example": "the example book by its README",
    "ferbook/test_foreign": "every command, of runs from elsewhere",
    "synthetic_faces/test_readme": "the generator's README",
}


def named_module(test: Path) -> bool:
    """Whether a module or a folder of the source stands where ``test`` (from the folder of tests) says."""
    folder, words = ROOT / test.parent, test.stem.removeprefix("test_").split("_")
    names = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return any((folder / f"{name}.py").is_file() or (folder / name).is_dir() for name in names)


def files() -> dict[str, Path]:
    """Name without its ending -> path from the folder of tests, of all below the rooms."""
    paths = (file.relative_to(TESTS) for file in TESTS.rglob("test_*.py") if file.parent != TESTS)
    return {path.with_suffix("").as_posix(): path for path in paths if path.parts[0] in ROOMS}


def test_each_file_of_tests_names_what_it_tests():
    found = files()
    assert {name for name, path in found.items() if not named_module(path)} == set(ACROSS)
