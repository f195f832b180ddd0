import contextlib
import importlib.metadata
import os
import signal
import subprocess
import sys

import nbclient
import nbformat
import numpy as np
import pytest

from book.faces.study import au_emotion_table, mutual_information
from fer_lib.faces import cache as faces_cache
from fer_lib.faces import code as faces_code
from fer_lib.faces.cache import entry
from fer_lib.faces.faceset import EMOTIONS, SPLITS
from fer_lib.faces.facs_codes import codes_of, format_codes
from ferbook import paths
from ferbook.errors import DataError, FerError, ParameterError
from synthetic_faces import produce
from synthetic_faces.domains import DOMAINS, sequence_counts
from synthetic_faces.facs import AUS
from synthetic_faces.produce import Recipe, cache_key, face_table, synthetic_faces
from synthetic_faces.sequences import by_subject, plan

TINY = {"domain": "lab", "subjects": 3, "size": 24, "seed": 0}


def table_of(**changes):
    recipe = Recipe(**{**TINY, **changes})
    return face_table(recipe, recipe.plan())


def test_the_set_holds_the_sequences_of_its_plan(small):
    table, counts = small.table, sequence_counts(DOMAINS["lab"], 9)
    assert small.name == "lab" and set(table["dataset"]) == {"lab"}
    assert small.pixels.shape == (4 * sum(counts.values()), 24, 24)
    assert small.masks.shape == small.pixels.shape and small.mask_aus == AUS == small.aus
    assert small.landmarks.shape == (len(small), 68, 2)
    assert table["subject"].iloc[0] == "lab-S001" and table["subject"].nunique() == 9
    assert (table.groupby("sequence").size() == 4).all()
    last = table.groupby("sequence").last()
    assert last["emotion"].value_counts().to_dict() == counts
    assert (table.groupby("sequence").first()["emotion"] == "neutral").all()
    assert (table["frame"].iloc[3::4].to_numpy() == table["apex"].iloc[3::4].to_numpy()).all()


def test_no_picture_is_empty_or_repeated_and_masks_and_landmarks_lie_in_it(small):
    assert (small.pixels.reshape(len(small), -1).std(axis=1) > 8).all()
    assert len({picture.tobytes() for picture in small.pixels}) == len(small)
    assert small.masks.reshape(len(small), -1).any(axis=1).all()
    assert (small.masks < 1 << len(AUS)).all()
    eyes = small.landmarks[:, 36:48].mean(axis=1)
    assert (eyes > 4).all() and (eyes < 20).all()
    # Brows move above the middle, lips below it.
    heights = {au: np.nonzero(small.mask(au))[1].mean() for au in ("AU2", "AU12")}
    assert heights["AU2"] < 12 < heights["AU12"]


def test_the_number_of_workers_changes_no_bit(small):
    again = produce.generate(Recipe("lab", 9, 24, 0), workers=1)
    assert again.checksum == small.checksum
    np.testing.assert_array_equal(again.masks, small.masks)
    np.testing.assert_array_equal(again.landmarks, small.landmarks)


def test_a_picture_depends_on_its_sequence_alone(small):
    few = produce.generate(Recipe(**TINY), workers=2)
    both = sorted(set(few.table["sequence"]) & set(small.table["sequence"]))
    assert len(both) >= 3
    for sequence in both:
        own, other = ((faces.table["sequence"] == sequence).to_numpy() for faces in (few, small))
        np.testing.assert_array_equal(few.pixels[own], small.pixels[other])
        np.testing.assert_array_equal(few.masks[own], small.masks[other])
        np.testing.assert_array_equal(few.table[own][list(AUS)], small.table[other][list(AUS)])


def test_another_process_makes_the_same_bits(small):
    code = (
        "from synthetic_faces.produce import Recipe, generate\n"
        "print(generate(Recipe('lab', 9, 24, 0), workers=2).checksum)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == (small.checksum, "")


def test_another_seed_gives_other_people_and_other_pictures(small):
    other = produce.generate(Recipe(**{**TINY, "seed": 1}))
    shown = {picture.tobytes() for picture in small.pixels}
    assert not shown & {picture.tobytes() for picture in other.pixels}
    assert not other.table["facs"].equals(small.table["facs"][: len(other)])


def test_a_picture_is_what_the_renderer_makes_of_its_row(small, head):
    from synthetic_faces.people import draw_person
    from synthetic_faces.render import Renderer
    from synthetic_faces.sequences import draw_course, draw_shots

    lab, recipe = DOMAINS["lab"], Recipe("lab", 9, 24, 0)
    place, sequence = next((k, s) for k, s in enumerate(recipe.plan()) if s.emotion == "fear")
    row = small.table.iloc[4 * place + 2]
    intensities = np.array([[row[f"{au}_left"], row[f"{au}_right"]] for au in AUS])
    shot = draw_shots(lab, 0, sequence, draw_course(lab, 0, sequence))[2]
    person = draw_person(head, 0, lab.first_person + sequence.subject, lab.looks)
    rendered = Renderer(head, 24).render(person, intensities, shot, lab.studio)
    np.testing.assert_array_equal(small.pixels[4 * place + 2], rendered.pixels)
    np.testing.assert_array_equal(small.masks[4 * place + 2], rendered.masks)
    np.testing.assert_array_equal(small.landmarks[4 * place + 2], rendered.landmarks)


def test_codes_and_halves_say_the_same_as_the_intensities(small):
    table = small.table
    for au in AUS:
        stronger = table[[f"{au}_left", f"{au}_right"]].max(axis=1)
        np.testing.assert_array_equal(table[au], stronger)
    without = table.drop(columns="facs")
    assert table["facs"].tolist() == [format_codes(codes) for codes in codes_of(without)]
    row = table[table["AU12"] > 0].iloc[0]
    assert f"12{'ABCDE'[int(np.ceil(5 * row['AU12_left'])) - 1]}" in row["facs"]


def test_what_people_said_stands_beside_what_was_shown():
    wild, game = table_of(domain="wild", subjects=150), table_of(domain="game", subjects=3)
    assert 0.05 < (wild["emotion"] != wild["true_emotion"]).mean() < 0.15
    votes = game[[f"vote_{emotion}" for emotion in EMOTIONS]]
    assert (votes.sum(axis=1) == 10).all() and not any(c.startswith("vote_") for c in wild.columns)
    chosen = game["emotion"].map(dict(zip(EMOTIONS, range(8), strict=True)))
    assert (votes.to_numpy()[range(len(game)), chosen] == votes.max(axis=1)).all()
    assert "true_emotion" not in table_of() and "fps" not in wild and "fps" not in game


def test_a_clip_says_when_it_happened():
    table = table_of(domain="micro", subjects=26)
    clips = table.groupby("sequence")
    assert clips.ngroups == 246 and (clips.size() == 16).all()
    assert (clips["emotion"].nunique() == 1).all()
    ends = clips["frame"].agg(["min", "max"])
    assert (ends["min"] == clips["onset"].first()).all() and (ends["max"] == clips["offset"].first()).all()
    assert set(table["fps"]) == {200.0}
    assert ((table["offset"] - table["onset"]) / table["fps"]).max() < 0.5


def test_a_clip_at_full_rate_holds_every_frame_and_those_taken_of_fewer_are_the_same_pictures(
    monkeypatch,
):
    one_each = [own[0] for own in by_subject(plan(DOMAINS["micro"], 3, 0))]
    monkeypatch.setattr(Recipe, "plan", lambda recipe: one_each)
    few = produce.generate(Recipe("micro", 3, 24, 0), workers=2)
    every = produce.generate(Recipe("micro", 3, 24, 0, clip_frames=0), workers=2)
    for sequence, clip in every.table.groupby("sequence"):
        onset, offset = clip[["onset", "offset"]].iloc[0]
        assert clip["frame"].tolist() == list(range(onset, offset + 1))
        own = few.table[few.table["sequence"] == sequence]
        same = clip.index[clip["frame"].isin(own["frame"])]
        assert len(own) == len(same) == 16 and set(own["split"]) == set(clip["split"])
        np.testing.assert_array_equal(few.pixels[own.index], every.pixels[same])
        np.testing.assert_array_equal(few.landmarks[own.index], every.landmarks[same])


def test_no_unit_of_a_set_is_a_function_of_its_emotion():
    table = table_of(subjects=118)
    # The 18 sequences of contempt are too few to tell .9 from 1.
    shares = au_emotion_table(table[table["emotion"] != "contempt"])
    assert shares.to_numpy().max() < 0.97
    assert mutual_information(table)["share"].max() < 0.85


@pytest.mark.parametrize(
    ("domain", "subjects"), [("lab", 118), ("lab", 24), ("wild", 300), ("game", 9), ("micro", 26)]
)
def test_splits_share_nobody_and_hold_every_class(domain, subjects):
    table = table_of(domain=domain, subjects=subjects)
    assert (table.groupby("subject")["split"].nunique() == 1).all()
    classes = set(table["emotion"])
    for split in SPLITS:
        assert set(table.loc[table["split"] == split, "emotion"]) == classes
    people = table.groupby("subject")["split"].first().value_counts(normalize=True)
    assert 0.5 < people["train"] < 0.7 and 0.1 < people["valid"] < 0.3 and 0.1 < people["test"] < 0.3
    assert table["split"].tolist() == table_of(domain=domain, subjects=subjects)["split"].tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("domain", "zoo"),
        ("subjects", 2),
        ("subjects", -1),
        ("subjects", 12.0),
        ("subjects", True),
        ("subjects", False),
        ("size", 8),
        ("size", "48"),
        ("seed", -1),
        ("seed", None),
        ("clip_frames", 2),
        ("clip_frames", 0),
    ],
)
def test_bad_arguments_are_refused_by_name(name, value):
    with pytest.raises(ParameterError, match=f"{name} "):
        synthetic_faces(**{**TINY, name: value})


def test_nought_is_the_domains_own_number(monkeypatch):
    asked = []
    monkeypatch.setattr(faces_cache, "cached", lambda name, key, make: asked.append((name, key)))
    synthetic_faces("micro")
    synthetic_faces("wild", subjects=12)
    assert [(name, key["subjects"], key["size"]) for name, key in asked] == [
        ("micro", 26, 96),
        ("wild", 12, 48),
    ]


def test_the_key_follows_arguments_code_and_packages(monkeypatch):
    keys = [cache_key(Recipe(**TINY)), cache_key(Recipe(**{**TINY, "domain": "wild"}))]
    keys += [cache_key(Recipe(**{**TINY, name: TINY[name] + 1})) for name in ("subjects", "size", "seed")]
    keys += [cache_key(Recipe("micro", 3, 24, 0, clip_frames=count)) for count in (0, 16, 24)]
    with monkeypatch.context() as patch:
        patch.setattr(faces_code, "code_hash", lambda module: "other code")
        keys.append(cache_key(Recipe(**TINY)))
    for package in ("anny", "warp-lang"):
        with monkeypatch.context() as patch:
            patch.setattr(produce, "version", lambda name, p=package: "9" if name == p else "0")
            keys.append(cache_key(Recipe(**TINY)))
    assert len({str(key) for key in keys}) == 11
    assert cache_key(Recipe(**TINY)) == keys[0]
    assert cache_key(Recipe(**{**TINY, "size": np.int64(24)})) == keys[0]


def test_without_a_package_the_error_says_what_to_install(monkeypatch):
    def gone(package):
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(produce, "version", gone)
    with pytest.raises(DataError, match=r"without the Python package anny: pip install anny"):
        cache_key(Recipe(**TINY))


def test_a_set_is_made_once_and_nothing_is_printed(capfd, monkeypatch):
    made = synthetic_faces(**TINY)
    monkeypatch.setattr(produce, "generate", lambda *_, **__: pytest.fail("made although it was kept"))
    again = synthetic_faces(**TINY)
    assert again.checksum == made.checksum
    np.testing.assert_array_equal(again.masks, made.masks)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2\necho 'no such kernel' >&2\nexit 3\n", r"status 3 as it started: no such kernel"),
        ("echo cpu\nread wanted\necho 'no memory' >&2\nexit 4\n", r"status 4 at person \d: no memory"),
        ("echo cpu\nread wanted\nprintf half\nexit 0\n", r"status 0 at person \d: no message"),
    ],
)
def test_a_worker_that_dies_is_reported_with_its_last_words(tmp_path, monkeypatch, script, message):
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\n" + script)
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    with pytest.raises(FerError, match=message):
        produce.generate(Recipe(**TINY), workers=2)


@pytest.mark.parametrize(("device", "expected"), [("cpu", 7), ("cuda:0", produce.GPU_WORKERS)])
def test_a_worker_per_core_but_few_share_a_gpu(tmp_path, monkeypatch, device, expected):
    count = tmp_path / "started"
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\necho x >> {count}\necho {device}\nread wanted\nexit 5\n")
    broken.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(broken))
    monkeypatch.setattr(produce, "usable_cores", lambda: 7)
    with pytest.raises(FerError, match="status 5"):
        produce.generate(Recipe("lab", 9, 24, 0))
    assert len(count.read_text().split()) == expected


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_leaves_neither_processes_nor_an_entry(cache, monkeypatch):
    workers, start = [], produce._start_worker

    def recorded(*arguments):
        workers.append(start(*arguments))
        return workers[-1]

    @contextlib.contextmanager
    def interrupted_after_one(wanted, name, total):
        # Called in the threads; Python delivers the signal to the main thread.
        first = iter([True])
        yield lambda pictures: next(first, False) and os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(produce, "_start_worker", recorded)
    monkeypatch.setattr(produce, "_bar", interrupted_after_one)
    monkeypatch.setattr(produce, "usable_cores", lambda: 2)
    recipe = Recipe("game", subjects=200, size=24, seed=77)
    # A shell starts what it puts into the background with the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            synthetic_faces(**vars(recipe))
    finally:
        signal.signal(signal.SIGINT, before)
    assert 1 <= len(workers) <= 2
    assert all(worker.returncode is not None for worker in workers)
    place = entry("game", cache_key(recipe))
    assert not [p for p in place.parent.glob("*") if place.name in p.name]


def test_it_runs_in_a_notebook_and_leaves_no_output_but_the_result(small, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(paths.ROOT))
    cell = nbformat.v4.new_code_cell(
        "from synthetic_faces.produce import Recipe, generate\n"
        "print(generate(Recipe('lab', 9, 24, 0), workers=2, progress=True).checksum)"
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
        with produce._bar(wanted, "lab", 2) as advance:
            advance(1)
            advance(1)
        assert ("lab: pictures" in sys.stderr.text) == wanted
