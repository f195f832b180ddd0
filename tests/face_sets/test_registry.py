"""The registry: names, licences, where copies are looked for, and keys that notice every change."""

import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from face_sets import cache, registry
from face_sets.registry import REGISTRY, fingerprint, list_sources, open_faces, require_source, source_status
from face_sets.request import FaceRequest
from fer_lib.names import FaceDomain, FaceSource
from ferbook import paths
from ferbook.errors import DataError, ParameterError
from synthetic_faces.errors import AssetError, SettingError
from synthetic_faces.versions import VERSIONS, versioned


def request(name: str, **changes: object) -> FaceRequest:
    """Nine people in 48 pixels."""
    return replace(FaceRequest(name, 9, 48), **changes)


@pytest.fixture
def data(tmp_path, monkeypatch) -> Path:
    """An empty FER_DATA and an empty FER_CACHE."""
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("FER_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def write_fer2013(data: Path, first_pixel: int = 0) -> Path:
    """The smallest FER2013: one black picture in each split, but for one pixel."""
    rest = " ".join(["0"] * 2303)
    usages = ("Training", "PublicTest", "PrivateTest")
    lines = ["emotion,pixels,Usage", *(f"3,{first_pixel} {rest},{usage}" for usage in usages)]
    (data / "fer2013").mkdir(exist_ok=True)
    csv = data / "fer2013" / "fer2013.csv"
    csv.write_text("\n".join(lines) + "\n")
    return csv


def age(path: Path, seconds: int = 3600) -> None:
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - seconds * 10**9))


def test_the_registry_holds_exactly_what_the_parameter_faces_takes():
    assert tuple(REGISTRY) == get_args(FaceSource)
    assert all(name == source.name for name, source in REGISTRY.items())


def test_every_source_says_whose_it_is_and_how_to_get_it():
    for row in list_sources():
        assert all(
            row[field] for field in ("title", "licence", "citation", "how_to_get", "expected", "place")
        )
    assert [row["name"] for row in list_sources()] == list(REGISTRY)
    keys = [source.citation_key for source in REGISTRY.values() if source.citation_key and source.reader]
    assert len(set(keys)) == len(keys)
    keys += [source.citation_key for source in REGISTRY.values() if not source.reader]
    references = (paths.pages() / "references.bib").read_text(encoding="utf-8")
    assert [key for key in keys if f"{{{key}," not in references] == [], (
        "cited, but not in the book's references"
    )
    assert {name for name, source in REGISTRY.items() if source.shareable} == set(get_args(FaceDomain))


@pytest.mark.parametrize("ask", [source_status, lambda n: open_faces(request(n))])
def test_an_unknown_name_is_refused_with_the_known_ones(ask):
    with pytest.raises(ParameterError, match=r"'fer2012'; the face sets are lab, wild"):
        ask("fer2012")


def test_a_set_of_fixed_size_is_reduced_but_never_enlarged(data):
    write_fer2013(data)
    assert open_faces(request("fer2013", size=24)).size == (24, 24)
    with pytest.raises(ParameterError, match=r"size is 64, but .* give 48 or less"):
        open_faces(request("fer2013", size=64))


def test_an_absent_set_says_where_it_was_looked_for_and_how_to_get_it(data):
    assert source_status("fer2013") == {
        "state": "not found",
        "found": False,
        "place": str(data / "fer2013"),
        "missing": f"folder {data / 'fer2013'}",
    }
    assert fingerprint(request("fer2013")) == "absent"
    told = r"FER_DATA;.*fer2013\.csv, or icml_face_data\.csv.*Kaggle"
    with pytest.raises(DataError, match=told) as no:
        open_faces(request("fer2013"))
    assert str(data / "fer2013") in str(no.value)


def test_the_first_missing_thing_belongs_to_the_layout_that_is_begun(data):
    folder = data / "casme2"
    folder.mkdir()
    assert source_status("casme2")["missing"] == str(folder / "CASME2-coding*.xlsx")
    (folder / "CASME2-RAW").mkdir()
    (folder / "CASME2-coding-1.xlsx").write_bytes(b"")
    (folder / "CASME2-RAW").rename(folder / "other")
    assert source_status("casme2")["missing"] == str(folder / "Cropped")
    assert source_status("casme2")["state"] == "incomplete"
    assert fingerprint(request("casme2")) == "absent"
    (folder / "other").rename(folder / "CASME2-RAW")
    status = source_status("casme2")
    assert (status["state"], status["place"], status["missing"]) == ("found", str(folder), None)


def test_fer2013_is_opened_once_and_then_taken_from_the_cache(data, monkeypatch):
    write_fer2013(data, first_pixel=9)
    faces = open_faces(request("fer2013"))
    assert (len(faces), faces.pixels[0, 0, 0], faces.classes) == (3, 9, ("happiness",))
    monkeypatch.setattr("face_sets.readers.fer2013.read_fer2013", lambda *_: pytest.fail("read again"))
    assert open_faces(request("fer2013")).checksum == faces.checksum


def test_a_damaged_set_is_refused_and_nothing_is_cached(data):
    csv = write_fer2013(data)
    good = csv.read_text()
    csv.write_text(good.replace("PrivateTest", "Private"))
    with pytest.raises(DataError, match=r"fer2013\.csv, line 4: Usage 'Private'"):
        open_faces(request("fer2013"))
    csv.write_text(good)
    assert len(open_faces(request("fer2013"))) == 3


@pytest.mark.parametrize("settled", [True, False])
def test_content_replaced_behind_the_same_size_and_time_is_noticed(data, monkeypatch, settled):
    """The digest is remembered only for a settled file, and under its change time, which no call sets."""
    monkeypatch.setattr(registry, "_SETTLED_NS", -1 if settled else 10**18)
    csv = write_fer2013(data, first_pixel=1)
    age(csv)
    stamp = csv.stat()
    assert open_faces(request("fer2013")).pixels[0, 0, 0] == 1
    assert (data.parent / "cache" / "digests" / "fer2013.json").exists() == settled
    csv.write_text(csv.read_text().replace(",1 ", ",2 "))
    os.utime(csv, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert (csv.stat().st_size, csv.stat().st_mtime_ns) == (stamp.st_size, stamp.st_mtime_ns)
    assert open_faces(request("fer2013")).pixels[0, 0, 0] == 2


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [
        ("tfd", "TFD_48x48.mat", "TFD_96x96.mat"),
        ("jaffe", "jaffedbase/KA.AN1.39.TIFF", "jaffedbase/KA.AN2.40.tiff"),
        ("jaffe", "KA.AN1.39.tiff", "KA.AN2.40.TIFF"),
    ],
)
def test_every_file_that_a_reader_may_read_counts(data, name, first, second):
    keys = [fingerprint(FaceRequest(name))]
    for file in (first, second):
        (data / name / file).parent.mkdir(parents=True, exist_ok=True)
        (data / name / file).write_bytes(b"picture")
        assert source_status(name)["found"]
        keys.append(fingerprint(FaceRequest(name)))
    assert keys[0] == "absent" and len(set(keys)) == 3


def test_the_remembered_digest_saves_reading_the_file(data, monkeypatch):
    monkeypatch.setattr(registry, "_SETTLED_NS", -1)
    csv = write_fer2013(data)
    first = open_faces(request("fer2013"))
    monkeypatch.setattr(registry.hashlib, "file_digest", lambda *_: pytest.fail("hashed again"))
    assert open_faces(request("fer2013")).checksum == first.checksum
    monkeypatch.undo()
    monkeypatch.setenv("FER_DATA", str(data))
    monkeypatch.setenv("FER_CACHE", str(data.parent / "cache"))
    for damage in ("", "[]", "{}", '{"states": 3}', "\x00"):
        (data.parent / "cache" / "digests" / "fer2013.json").write_text(damage)
        assert open_faces(request("fer2013")).checksum == first.checksum
    assert csv.exists()


def test_a_file_that_changes_while_it_is_read_is_refused_and_not_cached(data, monkeypatch):
    from face_sets.readers import fer2013

    csv = write_fer2013(data)
    read = fer2013.read_fer2013

    def change_meanwhile(folder, size):
        faces = read(folder, size)
        write_fer2013(data, first_pixel=7)
        return faces

    monkeypatch.setattr(fer2013, "read_fer2013", change_meanwhile)
    with pytest.raises(DataError, match="changed while they were read"):
        open_faces(request("fer2013"))
    monkeypatch.setattr(fer2013, "read_fer2013", read)
    assert open_faces(request("fer2013")).pixels[0, 0, 0] == 7
    assert csv.exists()


def test_a_file_that_changes_while_it_is_hashed_is_refused(data, monkeypatch):
    csv, digest = write_fer2013(data), registry.hashlib.file_digest
    monkeypatch.setattr(registry.hashlib, "file_digest", lambda *given: age(csv) or digest(*given))
    with pytest.raises(DataError, match=r"fer2013: files below .* changed while they were read; try again"):
        fingerprint(request("fer2013"))


def test_a_file_that_cannot_be_read_is_named(data):
    (data / "fer2013" / "fer2013.csv").mkdir(parents=True)
    (data / "fer2013" / "fer2013.csv" / "inner").symlink_to(data / "fer2013" / "fer2013.csv")
    with pytest.raises(DataError, match=r"fer2013\.csv"):
        open_faces(request("fer2013"))


def test_fingerprint_follows_contents_and_not_the_arguments_of_synthetic_faces(data):
    csv = write_fer2013(data)
    first = fingerprint(request("fer2013"))
    assert fingerprint(request("fer2013", subjects=50, face_seed=3)) == first
    age(csv)
    assert fingerprint(request("fer2013")) == first  # a copy on another machine has other times
    csv.write_text(csv.read_text().replace(",0 ", ",10 "))
    longer = fingerprint(request("fer2013"))
    (data / "fer2013" / "fer2013new.csv").write_text("")
    assert len({first, longer, fingerprint(request("fer2013"))}) == 3


def test_a_picture_that_is_renamed_is_not_taken_from_the_cache(data):
    """Same size, time, content and place among the files: only its name says what it shows."""
    (data / "jaffe").mkdir()
    for k, name in enumerate(("KA.AN1.1", "KL.AN1.2", "KM.AN1.3")):
        Image.new("L", (32, 32), 50 * k).save(data / "jaffe" / f"{name}.tiff")
    wanted = FaceRequest("jaffe", size=32)
    assert open_faces(wanted).table["emotion"].tolist() == ["anger"] * 3
    (data / "jaffe" / "KA.AN1.1.tiff").rename(data / "jaffe" / "KA.DI1.1.tiff")
    assert open_faces(wanted).table["emotion"].tolist() == ["disgust", "anger", "anger"]


def test_fingerprint_of_synthetic_faces_follows_every_argument_and_the_version(monkeypatch):
    keys = {fingerprint(request("lab")), fingerprint(request("wild"))}
    for field in ("subjects", "size", "face_seed"):
        keys.add(fingerprint(request("lab", **{field: 77})))
    assert len(keys) == 5
    assert fingerprint(request("lab")) == fingerprint(request(versioned("lab"))) in keys
    monkeypatch.setattr(cache, "code_of", lambda *modules: {"render.py": b"other code"})
    assert fingerprint(request("lab")) in keys
    monkeypatch.setitem(VERSIONS, "lab", 77)
    keys |= {fingerprint(request("lab")), fingerprint(request("lab", family="a"))}
    assert len(keys) == 7


def test_a_version_that_is_not_made_here_is_refused_with_the_one_that_is(data):
    for ask in (open_faces, fingerprint, lambda request: source_status(request.name)):
        for name in ("lab/1", "lab/7", "lab/", "lab/2/2"):
            told = rf"{name} is not made here: this checkout makes {versioned('lab')}"
            with pytest.raises(SettingError, match=told):
                ask(FaceRequest(name))
    with pytest.raises(ParameterError, match="faces is 'ckplus/2'"):
        open_faces(FaceRequest("ckplus/2"))


def test_an_option_is_for_synthetic_faces(data):
    with pytest.raises(ParameterError, match="family is for synthetic faces; ckplus is a real set"):
        open_faces(FaceRequest("ckplus", family="a"))


def test_heads_need_the_users_head_model_and_say_so(data):
    assert fingerprint(FaceRequest("heads")) == "absent" and not source_status("heads")["found"]
    for ask in (open_faces, lambda wanted: require_source(wanted.name)):
        told = r"heads: folder .*ict_facekit not found.*FaceXModel.*ICT-FaceKit"
        with pytest.raises(DataError, match=told):
            ask(FaceRequest("heads"))
    model = data / "ict_facekit" / "FaceXModel"
    model.mkdir(parents=True)
    (model / "jawOpen.obj").write_text("v 0 0 0")
    first = fingerprint(FaceRequest("heads"))
    assert first.startswith("heads/1, subjects 0") and source_status("heads")["found"]
    (model / "jawOpen.obj").write_text("v 0 0 1")
    assert fingerprint(FaceRequest("heads")) != first
    with pytest.raises(AssetError, match=r"vertex_indices.json: cannot be read"):
        open_faces(FaceRequest("heads"))
