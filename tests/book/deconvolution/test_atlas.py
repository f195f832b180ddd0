"""The atlas: every filter is there, its tiles are its own, and nothing shows that may not be shown."""

import base64
import io
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from book.deconvolution import atlas
from book.deconvolution.atlas import filter_atlas, grey_levels, mean_picture, mean_projections, sheet_of
from fer_lib.look.responses import extremum_counts
from ferbook.site import external_requests
from tests.book.elements import Elements
from tests.fer_lib.look.toy_layer import toy_view


def sheet_in(text, name):
    """The picture behind the class ``name``, as an array."""
    data = re.search(rf"\.{name}{{background-image:url\(data:image/webp;base64,([^)]*)\)", text)[1]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


def place(style):
    return tuple(int(found) for found in re.search(r"--x:(\d+);--y:(\d+)", style).groups())


@pytest.fixture(scope="module")
def text():
    return filter_atlas(toy_view(), show_faces=True)


def test_every_filter_has_an_entry_the_strongest_first_and_each_says_what_it_is(text):
    elements = Elements(text)
    labels = [a["aria-label"] for a in elements.of("summary")]
    assert [int(re.search(r"\d+", label)[0]) for label in labels] == [1, 0, 3, 2]
    assert labels[0] == "Filter 1, strongest response 8.00" and labels[-1] == "Filter 2, never responds"
    assert len(elements.of("details")) == 4
    # Whatever is a picture to the eye has words for the ear.
    assert all(a.get("aria-label") for _, a in elements.found if a.get("role") == "img")


def test_every_filter_has_an_address_and_a_number_for_the_script(text):
    tiles = Elements(text).of("details")
    assert [(a["id"], a["data-filter"]) for a in tiles] == [(f"filter-{n}", str(n)) for n in (1, 0, 3, 2)]
    (atlas,) = Elements(text).of("div", "filter-atlas")
    assert atlas["data-layer"] == "relu<3>" and "relu&lt;3&gt;" in text and "relu<3>" not in text


def test_the_pairs_of_a_filter_are_its_own_pictures_and_projections_in_place(text):
    view, elements = toy_view(), Elements(text)
    # Entries in the order 1, 0, 3; of filter 1 pictures 5 and 4.
    spans = [a["style"] for a in elements.of("span") if "--l" in a.get("style", "")]
    assert len(spans) == len(view.rows)
    assert spans[0] == "--l:43.75%;--t:43.75%", "unit (2, 2) begins at pixel 7 of 16"
    faces = "face", "i", view.faces.pixels, (5, 4, 1, 0, 5)
    for name, tag, pictures, order in (faces, ("projection", "b", view.projections.maps, (2, 3, 0, 1, 4))):
        sheet, side = sheet_in(text, name)[..., 0].astype(int), pictures.shape[1]
        shown = [place(a["style"]) for a in elements.of(tag, name)]
        for (x, y), number in zip(shown, order, strict=True):
            tile = sheet[side * y : side * y + side, side * x : side * x + side]
            likeness = [np.corrcoef(tile.ravel(), each.ravel())[0, 1] for each in pictures]
            assert int(np.argmax(likeness)) == number


def test_the_heat_map_is_the_count_of_extrema_exactly(text):
    sheet, view = sheet_in(text, "heat"), toy_view()
    x, y = place(Elements(text).of("b", "heat")[0]["style"])
    opacity = sheet[6 * y : 6 * y + 6, 6 * x : 6 * x + 6, 3].astype(int)
    counts = extremum_counts(view.responses)[1]
    assert opacity[1:-1, 1:-1][3, 3] == 230 and not opacity[[0, -1]].any() and not opacity[:, [0, -1]].any()
    np.testing.assert_allclose(opacity[1:-1, 1:-1], 230 * np.sqrt(counts / 3), atol=0.5)
    # Cell (0, 0) covers the four pixels in the middle of what its unit sees: 0 to 3; the rim is one cell
    # more.
    rule = re.search(r"\.heat{(left[^}]*)}", text)[1]
    assert rule == "left:-25%;top:-25%;width:150%;height:150%"


def test_without_faces_no_single_picture_is_in_the_fragment(text):
    without = filter_atlas(toy_view(), show_faces=False)
    assert 'class="face"' in text and 'class="projection"' in text
    assert 'class="face"' not in without and ".face{background-image" not in without
    assert "projection{background-image" not in without and 'class="pairs"' not in without
    assert without.count("data:image") == 3, "mean projections, heat maps, the mean face"
    assert len(Elements(without).of("details")) == 4


@pytest.mark.parametrize(
    ("subjects", "hidden"),
    [([f"p{k % 5}" for k in range(9)], False), (["p0"] * 8 + ["p1"], True), ([""] * 9, False)],
)
def test_the_mean_face_of_fewer_than_five_people_is_not_shown(monkeypatch, subjects, hidden):
    view, tiles = toy_view(), []
    table = pd.DataFrame({"subject": subjects})
    sheet = SimpleNamespace(style=str)
    monkeypatch.setattr(atlas, "sheet_of", lambda shown, quality: tiles.append(shown) or sheet)
    monkeypatch.setattr(atlas, "mean_picture", lambda faces: np.arange(16, dtype=np.uint8).reshape(4, 4))
    faces = SimpleNamespace(table=table)
    atlas._sheets(replace(view, faces=faces), extremum_counts(view.responses), False, 70)
    assert bool(np.ptp(tiles[2]) == 0) is hidden


def test_the_fragment_requests_nothing_and_runs_no_script(text, tmp_path):
    (tmp_path / "page.html").write_text(text)
    assert external_requests(tmp_path) == [] and "<script" not in text


def test_quality_goes_down_until_the_fragment_fits(text, monkeypatch):
    tried, real = [], atlas.sheet_of
    monkeypatch.setattr(atlas, "sheet_of", lambda tiles, at: tried.append(at) or real(tiles, at))
    monkeypatch.setattr(atlas, "MOST_BYTES", len(text.encode()))
    assert filter_atlas(toy_view(), show_faces=True) == text and set(tried) == {70, 80, 100}
    monkeypatch.setattr(atlas, "MOST_BYTES", len(text.encode()) - 1)
    assert len(filter_atlas(toy_view(), show_faces=True)) < len(text)
    assert 55 in tried


def test_counts_and_means_equal_a_loop():
    view, counts = toy_view(), np.zeros((4, 4, 4), int)
    for picture, number in np.ndindex(6, 4):
        if view.responses.maxima[picture, number] > 0:
            counts[number][tuple(view.responses.positions[picture, number])] += 1
    assert extremum_counts(view.responses).tolist() == counts.tolist()
    assert (mean_picture(view.faces) == np.round(view.faces.pixels.mean(axis=0))).all()


def test_mean_projections_are_means_per_filter():
    view = toy_view()
    means = mean_projections(view)
    np.testing.assert_allclose(means[1], view.projections.maps[2:4].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(means[3], view.projections.maps[4])
    assert not means[2].any()


def test_grey_is_zero_at_the_middle_and_cut_at_the_share_of_the_largest():
    maps = np.array([[[0.0, 1.0], [-1.0, 0.3]], [[0.0, 0.0], [0.0, 0.0]]])
    assert grey_levels(maps).tolist() == [[[128, 255], [1, 192]], [[128, 128], [128, 128]]]


@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_sheet_holds_every_tile_at_its_place(count):
    tiles = np.zeros((count, 5, 4, 4), np.uint8)
    tiles[..., 3] = 255
    tiles[..., 0] = 30 * np.arange(count)[:, None, None]
    sheet = sheet_of(tiles, 100)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.data.partition(",")[2]))))
    assert pixels.shape[:2] == (5 * sheet.down, 4 * sheet.across)
    for number in range(count):
        x, y = place(sheet.place(number))
        assert (pixels[5 * y : 5 * y + 5, 4 * x : 4 * x + 4, 0] == 30 * number).all()
