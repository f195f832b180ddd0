import contextlib
import os
import signal
import sys

import nbclient
import nbformat
import numpy as np
import pytest

from fer_lib import paths
from fer_lib.errors import DataError, FerError, ParameterError
from fer_lib.faces.cache import entry
from fer_lib.faces.faceset import EMOTIONS, SPLITS
from fer_lib.faces.synthetic import facs, generate
from fer_lib.faces.synthetic.generate import Recipe, cache_key, split_people, synthetic_faces
from fer_lib.faces.synthetic.people import draw_person

TINY = {"subjects": 3, "repeats": 1, "size": 24, "seed": 0}


def test_the_set_holds_every_expression_of_everyone(small):
    table = small.table
    assert small.pixels.shape == (72, 24, 24)
    assert small.classes == EMOTIONS
    assert small.aus == facs.AUS
    assert set(table["dataset"]) == {"synthetic"} and set(table["frame"]) == {0}
    assert table["subject"].iloc[0] == "synthetic-S001" and table["subject"].nunique() == 9
    assert table["sequence"].is_unique
    counts = table.groupby(["subject", "emotion"]).size()
    assert len(counts) == 72 and (counts == 1).all()


def test_no_picture_is_empty_or_repeated(small):
    assert (small.pixels.reshape(72, -1).std(axis=1) > 12).all()
    assert len({picture.tobytes() for picture in small.pixels}) == 72


def test_the_number_of_workers_changes_no_bit(small):
    assert generate.generate(Recipe(9, 1, 24, 0), workers=1).checksum == small.checksum


def test_people_are_the_same_in_a_set_of_another_size(small):
    few = generate.generate(Recipe(**TINY), workers=2)
    np.testing.assert_array_equal(few.pixels, small.pixels[:24])
    np.testing.assert_array_equal(few.table[list(facs.AUS)], small.table[list(facs.AUS)][:24])


def test_another_seed_gives_other_people_and_other_pictures(small):
    other = generate.generate(Recipe(**{**TINY, "seed": 1}))
    assert (np.abs(other.pixels.astype(int) - small.pixels[:24]).mean(axis=(1, 2)) > 2).all()
    assert not other.table[list(facs.AUS)].equals(small.table[list(facs.AUS)][:24])


def test_a_picture_is_what_the_renderer_makes_of_its_row(small, head):
    from fer_lib.faces.synthetic.render import Renderer
    from fer_lib.faces.synthetic.studio import Studio, draw_shot

    row = 8 * 4 + EMOTIONS.index("fear")
    stream = generate.picture_stream(Recipe(9, 1, 24, 0), subject=4, expression=4, repeat=0)
    intensities = facs.draw_intensities("fear", stream, facs.Spread())
    picture = Renderer(head, 24).picture(draw_person(head, 0, 4), intensities, draw_shot(stream, Studio()))
    np.testing.assert_array_equal(small.pixels[row], picture)
    np.testing.assert_allclose(small.table.loc[row, list(facs.AUS)].astype(float), intensities.max(axis=1))


def test_units_of_a_set_do_not_follow_from_its_emotions():
    # The table alone, without a picture: 30 people, 3 repeats.
    table = generate._table(Recipe(30, 3, 24, 0))
    for _, rows in table.groupby("emotion"):
        assert len({tuple(present) for present in rows[list(facs.AUS)].to_numpy() > 0.1}) > 3
    assert (table[list(facs.AUS)].max() > 0.1).all()


@pytest.mark.parametrize(("subjects", "held_out"), [(3, 1), (9, 2), (10, 2), (120, 24)])
def test_people_are_split_about_60_20_20(subjects, held_out):
    splits = split_people(subjects, seed=0).tolist()
    assert [splits.count(s) for s in ("valid", "test")] == [held_out] * 2
    assert splits.count("train") == subjects - 2 * held_out
    assert splits == split_people(subjects, seed=0).tolist()
    assert subjects == 3 or splits != split_people(subjects, seed=1).tolist()


def test_splits_share_nobody_and_hold_every_class(small):
    assert (small.table.groupby("subject")["split"].nunique() == 1).all()
    for split in SPLITS:
        assert small.split(split).classes == EMOTIONS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("subjects", 2),
        ("subjects", 12.0),
        ("subjects", True),
        ("repeats", 0),
        ("size", 8),
        ("size", "48"),
        ("seed", -1),
        ("seed", None),
    ],
)
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=f"{name} is"):
        synthetic_faces(**{**TINY, name: value})


def test_the_key_follows_arguments_code_and_packages(tmp_path, monkeypatch):
    keys = [cache_key(Recipe(**TINY))]
    keys += [cache_key(Recipe(**{**TINY, name: TINY[name] + 1})) for name in TINY]
    with monkeypatch.context() as patch:
        (tmp_path / "generate.py").write_text("x = 1")
        patch.setattr(generate, "__file__", str(tmp_path / "generate.py"))
        keys.append(cache_key(Recipe(**TINY)))
    with monkeypatch.context() as patch:
        patch.setattr(generate, "anny_version", lambda: "9")
        keys.append(cache_key(Recipe(**TINY)))
    with monkeypatch.context() as patch:
        patch.setattr(
            generate.importlib.metadata, "version", lambda package: "9" if package == "warp-lang" else "0.6.2"
        )
        keys.append(cache_key(Recipe(**TINY)))
    assert len({str(key) for key in keys}) == 8
    assert cache_key(Recipe(**TINY)) == keys[0]
    assert cache_key(Recipe(**{**TINY, "size": np.int64(24)})) == keys[0]


def test_without_warp_the_error_says_what_to_install(monkeypatch):
    def gone(package):
        raise generate.importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(generate.importlib.metadata, "version", gone)
    with pytest.raises(DataError, match="pip install warp-lang"):
        cache_key(Recipe(**TINY))


def test_a_set_is_made_once_and_nothing_is_printed(capfd, monkeypatch, small):
    made = synthetic_faces(**TINY)
    monkeypatch.setattr(generate, "generate", lambda *_, **__: pytest.fail("made although it was kept"))
    assert synthetic_faces(**TINY).checksum == made.checksum
    np.testing.assert_array_equal(made.pixels, small.pixels[:24])
    assert capfd.readouterr() == ("", "")


def test_a_worker_that_dies_is_reported_with_its_last_words(tmp_path, monkeypatch):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho first >&2\necho 'no such kernel' >&2\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(FerError, match=r"status 3.*no such kernel"):
        generate.generate(Recipe(**TINY), workers=2)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_leaves_neither_processes_nor_an_entry(cache, monkeypatch):
    workers, start = [], generate._start_worker

    def recorded(*arguments):
        workers.append(start(*arguments))
        return workers[-1]

    @contextlib.contextmanager
    def interrupted_after_one(wanted, total):
        # Called in the threads; Python delivers the signal to the main thread.
        first = iter([True])
        yield lambda: next(first, False) and os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(generate, "_start_worker", recorded)
    monkeypatch.setattr(generate, "_bar", interrupted_after_one)
    monkeypatch.setattr(generate, "usable_cores", lambda: 2)
    recipe = Recipe(subjects=200, repeats=3, size=24, seed=77)
    with pytest.raises(KeyboardInterrupt):
        synthetic_faces(**vars(recipe))
    assert len(workers) == 2
    assert all(worker.returncode is not None for worker in workers)
    place = entry(generate.NAME, cache_key(recipe))
    assert not [p for p in place.parent.iterdir() if place.name in p.name]


def test_it_runs_in_a_notebook_and_leaves_no_output_but_the_result(small, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT))
    cell = nbformat.v4.new_code_cell(
        "from fer_lib.faces.synthetic.generate import Recipe, generate\n"
        "print(generate(Recipe(9, 1, 24, 0), workers=2, progress=True).checksum)"
    )
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    (output,) = notebook.cells[0].outputs
    assert (output.name, output.text.strip()) == ("stdout", small.checksum)


def test_a_terminal_gets_a_bar(monkeypatch):
    class Terminal:
        encoding = "utf-8"

        def __init__(self):
            self.text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text

        def flush(self):
            pass

    for wanted in (True, False):
        monkeypatch.setattr(sys, "stderr", Terminal())
        monkeypatch.setenv("TERM", "xterm")
        with generate._bar(wanted, 2) as advance:
            advance()
            advance()
        assert ("people" in sys.stderr.text) == wanted
