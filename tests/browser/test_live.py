"""The network in the page: Chromium computes what torch does, and follows what a reader does."""

import copy
import io
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from book import live_page
from book.unit_faces import unit_faces
from face_sets.readers.pictures import LEFT_EYE, LIPS, RIGHT_EYE, cut_out, landmark_window
from fer_lib.look.deconvolution import project
from fer_lib.look.responses import maximal_responses
from fer_lib.train.weights import widened
from ferbook import paths
from synthetic_faces.framing import EYE_TO_EYE, EYES_TO_LIPS

from .conftest import NARROW, WIDE

pytestmark = pytest.mark.browser

FACES = 200
CLOSE = 1e-3
ANSWERED = "document.getElementById('live').ariaBusy === 'false'"
# Characters that the network and its faces take; the page of 3 MB holds the words and the menu, too.
LARGEST = 2_700_000

# Logits, largest values and one filter's projection of each face.
ASK = """async ([faces, name]) => {
  const data = JSON.parse(document.getElementById("live-data").textContent);
  const { unpacked, answered, projected } = suite.computing(data.size);
  const network = await unpacked(data[name]);
  return faces.map(([pixels, filter]) => {
    const answer = answered(network, Uint8Array.from(pixels));
    return [answer.logits && [...answer.logits], [...answer.maxima], [...projected(network, answer, filter)]];
  });
}"""


@pytest.fixture(scope="module")
def told():
    return live_page.live_network()


@pytest.fixture(scope="module")
def faces():
    return unit_faces(48)


@pytest.fixture(scope="module")
def bare(tmp_path_factory, told):
    """The address of a page with nothing but the network, the same whatever run the book is built from."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(paths.pages() / "_static", folder / "_static")
    page = folder / "book" / "live.html"
    page.parent.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live_page, "live_network", lambda: told)
        content = live_page.live({})
    assert len(content) < LARGEST
    page.write_text(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Live</title><meta name="viewport" '
        'content="width=device-width"><script src="../_static/suite.js"></script></head>'
        f"<body>{content}</body></html>",
        encoding="utf-8",
    )
    return page.as_uri()


@pytest.fixture
def opened_at(chromium, bare):
    """Open the page at a width; afterwards nothing may have gone wrong, and nothing been asked of a host."""
    contexts, faults, asked = [], [], []

    def open_page(width=WIDE, **options):
        options |= {"offline": True, "viewport": {"width": width, "height": 900}}
        contexts.append(chromium.new_context(**options))
        contexts[-1].set_default_timeout(120_000)
        tab = contexts[-1].new_page()
        tab.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
        tab.on("pageerror", lambda fault: faults.append(str(fault)))
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(bare)
        if options.get("java_script_enabled", True):
            tab.wait_for_function(ANSWERED)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert faults == []
    assert [address for address in asked if not address.startswith(("file:", "data:", "blob:"))] == []


@pytest.fixture
def tab(opened_at):
    return opened_at()


def shown(tab):
    """The face that the networks get, uint8 (48, 48), once they have answered."""
    tab.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    tab.wait_for_function(ANSWERED)
    pixels = tab.evaluate("[...document.getElementById('live').shown()]")
    return np.array(pixels, np.uint8).reshape(48, 48)


def said(tab):
    return tab.locator("#live .said").inner_text()


def shares(tab):
    return tab.locator("#live .emotions b").all_inner_texts()


def png(pixels):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def give(tab, name, content, kind="image/png"):
    """Choose a file, as a picture of one's own."""
    tab.get_by_label("Picture file").set_input_files({"name": name, "mimeType": kind, "buffer": content})


def framing(tab):
    canvas = tab.locator("#live .framing canvas")
    canvas.wait_for()
    return canvas


def asked(tab, pixels, filters, taught=True):
    rows = [[each.ravel().tolist(), int(k)] for each, k in zip(pixels, filters, strict=True)]
    told = tab.evaluate(ASK, [rows, "trained" if taught else "untrained"])
    return [np.array(part) for part in zip(*told, strict=True)]


def test_logits_answers_and_projections_are_those_of_torch(tab, told, faces):
    pixels, filters = faces.pixels[:FACES], np.arange(FACES) % 256
    logits, maxima, projections = asked(tab, pixels, filters)
    model = told[0].model
    with torch.no_grad():
        expected = model(torch.from_numpy(pixels[:, None] / np.float32(255)))
    assert np.abs(logits - expected.numpy()).max() < CLOSE
    some = faces.select(np.arange(FACES))
    assert np.abs(maxima - maximal_responses(model, some, "relu3").maxima).max() < CLOSE
    below = project(model, "relu3", pixels, np.arange(FACES), filters).whole().reshape(FACES, -1)
    # Of two values within a millionth of the largest Python follows the first place, the page the larger: in
    # a few pairs these are two ways, and even there the maps hardly differ.
    apart = np.abs(projections - below).max(axis=1)
    assert (apart < CLOSE).mean() >= 0.95 and apart.max() < 20 * CLOSE


def test_the_untrained_network_is_that_of_torch_too(tab, told, faces):
    pixels, filters = faces.pixels[:340:17], np.arange(20) * 12
    _, maxima, projections = asked(tab, pixels, filters, taught=False)
    model, untrained = copy.deepcopy(told[0].model), told[1]
    model.load_state_dict(widened(untrained))
    below = project(model, "relu3", pixels, np.arange(20), filters)
    assert np.abs(maxima[np.arange(20), filters] - below.responses).max() < CLOSE
    assert np.abs(projections - below.whole().reshape(20, -1)).max() < CLOSE


def test_what_is_shown_first_is_the_starting_face(tab, faces):
    code = live_page.unit_codes().index(live_page.STARTING_FACE)
    assert (shown(tab) == faces.pixels[code]).all()
    assert max(float(each.split()[0]) for each in shares(tab)) < 90, "no emotion is certain"
    result = tab.locator("#live [aria-live] >> nth=0").inner_text()
    assert result.startswith("Most probable: ") and result.endswith(" %.")
    assert "Confirmed for AU1, " in tab.locator("#live .verdict").inner_text()


def test_everything_is_done_by_the_keyboard(tab, faces):
    codes = live_page.unit_codes()
    tab.get_by_label("Second unit: intensity").focus()
    tab.keyboard.press("Home")
    assert (shown(tab) == faces.pixels[codes.index({"AU1": "E"})]).all()
    before = shares(tab)
    tab.get_by_label("First unit: intensity").focus()
    tab.keyboard.press("ArrowLeft")
    rest = faces.pixels[codes.index({"AU1": "C"})]
    assert (shown(tab) == rest).all() and shares(tab) != before
    tab.get_by_label("Right").focus()
    tab.keyboard.press("ArrowRight")
    assert (shown(tab)[:, 1:] == rest[:, :-1]).all()
    tab.get_by_label("Lighter").focus()
    tab.keyboard.press("ArrowLeft")
    assert (shown(tab)[:, 1:] == np.maximum(rest[:, :-1].astype(int) - 5, 0)).all()
    tab.get_by_role("button", name="Undo all changes").press("Enter")
    assert (shown(tab) == rest).all()
    tab.locator("#live .brushed").focus()
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("Space")
    brushed = shown(tab)
    assert (brushed[20:27, 21:28] == 128).all() and (brushed != rest).sum() <= 49
    tab.locator("#live .grid :checked").focus()
    name = tab.locator("#live .filter h3").inner_text()
    tab.keyboard.press("ArrowRight")
    shown(tab)
    assert tab.locator("#live .filter h3").inner_text() == f"Filter {int(name.split()[1]) + 1}"


def test_emotions_are_told_before_the_rest_is_computed(tab):
    tab.evaluate(
        "new MutationObserver(() => (globalThis.told ??= []).push(document.getElementById('live').ariaBusy))"
        ".observe(document.querySelector('#live .emotions'), { subtree: true, childList: true })"
    )
    tab.get_by_label("First unit: intensity").press("Home")
    shown(tab)
    assert tab.evaluate("globalThis.told") == ["true"]


def test_a_drag_brushes(tab):
    before, box = shown(tab), tab.locator("#live .brushed").bounding_box()
    tab.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.mouse.down()
    tab.mouse.move(box["x"] + box["width"] / 2 + 20, box["y"] + box["height"] / 2)
    tab.mouse.up()
    after = shown(tab)
    assert (after[24] == 128).sum() >= 7 and (after[:10] == before[:10]).all()


def test_twice_the_contrast_is_twice_the_distance_from_the_mean(tab):
    before = shown(tab).astype(float)
    tab.get_by_label("Contrast ×").fill("2")
    expected = np.clip(2 * before - before.mean(), 0, 255)
    assert np.abs(shown(tab) - expected).max() <= 0.5 + 1e-6


def test_ones_own_picture_is_framed_by_the_eyes_as_readers_frame(tab, faces):
    picture = np.kron(faces.pixels[0], np.ones((8, 8), np.uint8))
    give(tab, "me.png", png(picture))
    canvas = framing(tab)
    assert said(tab).startswith("No eyes are marked yet")
    box, eyes = canvas.bounding_box(), [(120, 150), (264, 150)]
    scale = box["width"] / picture.shape[1]
    for number, (x, y) in enumerate(eyes):
        canvas.click(position={"x": (x + 0.5) * scale, "y": (y + 0.5) * scale})
        assert said(tab).startswith(("One eye is marked", "This is your picture, framed")[number])
    marks = np.zeros((68, 2))
    marks[RIGHT_EYE], marks[LEFT_EYE] = eyes
    marks[LIPS] = 192, 150 + 144 * EYES_TO_LIPS / EYE_TO_EYE
    expected = cut_out(picture, landmark_window(marks), 48).astype(int)
    assert np.abs(shown(tab) - expected).max() <= 2


def test_a_picture_that_exif_turns_stands_upright_and_a_large_one_is_reduced(tab):
    picture = np.zeros((6000, 7000), np.uint8)
    picture[:, 3500:] = 255
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # to be turned right: what is right goes down
    Image.fromarray(picture).save(stream, "JPEG", exif=exif)
    give(tab, "turned.jpg", stream.getvalue(), "image/jpeg")
    side = "(each) => [each.width, each.height, ...[0.25, 0.75].map((share) => each.getContext('2d')"
    look = f"{side}.getImageData(each.width / 4, share * each.height, 1, 1).data[0])]"
    width, height, above, below = framing(tab).evaluate(look)
    assert (width, height) == (1371, 1600) and above < 10 and below > 245


def test_the_eyes_are_marked_by_the_keyboard(tab, faces):
    picture = np.kron(faces.pixels[0], np.ones((4, 4), np.uint8))
    give(tab, "me.png", png(picture))
    framing(tab).focus()
    for _ in range(2):
        tab.keyboard.press("Enter")
    assert "less than 8 pixels apart" in said(tab)
    tab.keyboard.press("Shift+ArrowLeft")
    tab.keyboard.press("Enter")
    for _ in range(3):
        tab.keyboard.press("Shift+ArrowRight")
    tab.keyboard.press("Enter")
    assert said(tab).startswith("This is your picture")


def test_what_is_no_picture_is_said_in_one_sentence(tab):
    before = shown(tab)
    give(tab, "notes.txt", b"no picture", "text/plain")
    tab.wait_for_function("document.querySelector('#live .said').textContent")
    assert said(tab) == "notes.txt is not a picture that this browser can read."
    assert (shown(tab) == before).all()


def test_a_narrow_screen_needs_no_scrolling_sideways(opened_at):
    tab = opened_at(NARROW)
    assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW


def test_without_scripts_a_still_picture_stands_there(opened_at):
    tab = opened_at(java_script_enabled=False)
    assert tab.locator("#live .still img").count() == 2
    assert "With scripts allowed, the network computes here" in tab.locator("#live").inner_text()
    assert tab.locator("#live input").count() == 0


def test_a_browser_that_cannot_unpack_the_network_says_so_and_keeps_the_still_picture(chromium, bare):
    context = chromium.new_context(offline=True)
    context.add_init_script(
        "const Whole = Blob; globalThis.Blob = function (parts) "
        "{ return new Whole(['delete self.DecompressionStream;', ...parts]); };"
    )
    tab = context.new_page()
    tab.goto(bare)
    board = tab.locator("#live", has_text="This browser cannot unpack the network")
    board.wait_for()
    assert board.locator(".still img").count() == 2 and board.locator("input").count() == 0
    assert board.get_attribute("aria-busy") is None
    context.close()
