"""Picture files: listing, grey values of every pixel format, framing by landmarks and by the detector."""

import io
import struct
import subprocess
import sys
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, ImageFile

from face_sets.readers import pictures
from face_sets.readers.pictures import read_grey
from ferbook.errors import DataError


def landmarks(eye_line=(100.0, 80.0), apart=62.0, down=66.4, mouth=8.0) -> np.ndarray:
    """68 points of a frontal face: NaN but for the eyes and the lips, which are all that framing reads."""
    points = np.full((68, 2), np.nan)
    x, y = eye_line
    ring = np.array([[-3, 0], [-1, -1], [1, -1], [3, 0], [1, 1], [-1, 1]])
    points[36:42] = ring + np.array([x - apart / 2, y])
    points[42:48] = ring + np.array([x + apart / 2, y])
    points[48:60] = np.vstack([ring, 2 * ring]) * (4, mouth / 4) + np.array([x, y + down])
    return points


def test_a_face_of_average_proportions_gets_the_synthetic_window():
    # 1 px = 1 mm: the renderer's window for this face is 84 mm to each side, 0.45 of the way down from the
    # eyes.
    window = pictures.landmark_window(landmarks())
    assert window.side == pytest.approx(168)
    assert window.left == pytest.approx(100 - 84)
    assert window.top == pytest.approx(80 + 0.45 * 66.4 - 84)
    # Half of the scale follows each distance: eyes 10 % further apart widen the window by 5 %.
    assert pictures.landmark_window(landmarks(apart=68.2)).side == pytest.approx(168 * 1.05)
    assert pictures.landmark_window(landmarks(down=66.4 * 0.8)).side == pytest.approx(168 * 0.9)


def test_the_window_follows_the_eyes_and_keeps_the_resting_mouth():
    rest, open_mouth = landmarks(), landmarks(eye_line=(103, 79), down=90)
    window = pictures.landmark_window(open_mouth, rest)
    at_rest = pictures.landmark_window(rest)
    assert (window.left, window.top) == pytest.approx((at_rest.left + 3, at_rest.top - 1))
    assert window.side == pytest.approx(at_rest.side)
    assert pictures.landmark_window(open_mouth).side > window.side


@pytest.mark.parametrize(
    "points", [np.zeros((68, 2)), np.full((68, 2), np.nan), landmarks(apart=0), landmarks(down=-66)]
)
def test_landmarks_that_frame_nothing_are_refused(points):
    with pytest.raises(DataError, match="landmarks"):
        pictures.landmark_window(points)


def test_landmarks_move_with_the_window():
    window = pictures.Window(10, 20, 40)
    np.testing.assert_allclose(window.scale([[10, 20], [50, 60], [30, 40]], 80), [[0, 0], [80, 80], [40, 40]])


def test_a_cut_on_whole_pixels_is_exact_and_beyond_the_picture_its_edge_repeats():
    picture = np.arange(30 * 40, dtype=np.uint32).reshape(30, 40).astype(np.uint8)
    np.testing.assert_array_equal(
        pictures.cut_out(picture, pictures.Window(7, 3, 16), 16), picture[3:19, 7:23]
    )
    cut = pictures.cut_out(picture, pictures.Window(-4, 20, 16), 16)
    np.testing.assert_array_equal(cut, np.pad(picture, ((0, 6), (4, 0)), "edge")[20:36, :16])
    with pytest.raises(DataError, match="does not fit a picture of 40 × 30"):
        pictures.cut_out(picture, pictures.Window(40, 0, 16), 16)
    with pytest.raises(DataError, match="1000000000 wide, does not fit a picture of 40 × 30"):
        pictures.cut_out(picture, pictures.Window(-10, 0, 1e9), 16)


def test_a_cut_is_averaged_not_sampled():
    stripes = np.tile(np.array([0, 200], np.uint8), (64, 32))
    assert (
        np.abs(pictures.cut_out(stripes, pictures.Window(0, 0, 64), 16)[:, 2:-2].astype(int) - 100).max() <= 3
    )


def test_a_face_crop_of_the_size_is_taken_as_it_is():
    picture = np.random.default_rng(0).integers(0, 256, (96, 96)).astype(np.uint8)
    assert pictures.whole(picture, 96) is picture
    assert pictures.whole(picture[:, :48], 96).shape == (96, 96)


def test_a_cut_by_landmarks_puts_eyes_and_lips_where_the_renders_have_them():
    points = landmarks(eye_line=(160.0, 120.0), apart=93.0, down=99.6)
    picture = np.full((300, 320), 90, np.uint8)
    for x, y in (points[36:42].mean(0), points[42:48].mean(0), points[48:60].mean(0)):
        picture[round(y) - 2 : round(y) + 2, round(x) - 2 : round(x) + 2] = 255
    # 1 px = 1 mm: the marks lie where the formula says, by hand.
    crop = pictures.cut_out(picture, pictures.landmark_window(points), 168)
    bright = np.argwhere(crop > 200).astype(float) + 0.5
    upper, lower = bright[bright[:, 0] < 84], bright[bright[:, 0] > 84]
    assert upper[:, 0].mean() == pytest.approx(84 - 0.45 * 66.4, abs=0.5)
    assert lower.mean(axis=0) == pytest.approx([84 + 0.55 * 66.4, 84], abs=0.5)
    assert sorted({-1 if x < 84 else 1 for x in upper[:, 1]}) == [-1, 1]
    assert np.abs(upper[:, 1] - 84).mean() == pytest.approx(31, abs=0.5)


def test_no_face_is_found_where_there_is_none():
    assert pictures.find_face(np.full((200, 200), 128, np.uint8)) is None


def drawn_face(side=240, x=120, y=110, unit=1.0) -> np.ndarray:
    """A face of blobs that the detector takes for one: dark eyes and brows on a bright oval."""
    rows, columns = np.mgrid[:side, :side].astype(float)

    def blob(cx, cy, rx, ry):
        return np.exp(-((((columns - x) / unit - cx) / rx) ** 2 + (((rows - y) / unit - cy) / ry) ** 2))

    oval = ((columns - x) / unit / 62) ** 2 + (((rows - y) / unit - 10) / 82) ** 2 < 1
    face = np.where(oval, 190.0, 60.0)
    for cx in (-28, 28):
        face -= 130 * blob(cx, -12, 13, 6) + 70 * blob(cx, -28, 19, 5)
        face += 25 * blob(cx, 18, 14, 12)
    face += 25 * blob(0, 2, 6, 22)
    face -= 60 * blob(0, 26, 12, 4) + 100 * blob(0, 48, 20, 5)
    return np.clip(face, 0, 255).astype(np.uint8)


def test_the_detector_frames_a_face_and_follows_it():
    window = pictures.find_face(drawn_face())
    moved = pictures.find_face(drawn_face(side=320, x=190, y=150))
    assert window is not None and moved is not None
    centre, other = (np.array([each.left, each.top]) + each.side / 2 for each in (window, moved))
    assert abs(centre[0] - 120) < 8 and abs(centre[1] - 130) < 25 and 100 < window.side < 220
    assert np.allclose(centre + np.array([70, 40]), other, atol=8)


def test_listing_leaves_litter_out_and_sorts(tmp_path):
    for name in ("b.PNG", "a.png", ".DS_Store", "._a.png", "Thumbs.db", "note.txt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "__MACOSX").mkdir()
    assert [p.name for p in pictures.list_inside(tmp_path, tmp_path)] == ["a.png", "b.PNG", "note.txt"]
    assert [p.name for p in pictures.list_inside(tmp_path, tmp_path, (".png",))] == ["a.png", "b.PNG"]
    assert pictures.is_litter(tmp_path / "desktop.ini") and not pictures.is_litter(tmp_path / "S005")
    with pytest.raises(DataError, match=r"absent: cannot be listed"):
        pictures.list_inside(tmp_path / "absent", tmp_path)


@pytest.mark.defect("D4")
def test_a_link_out_of_the_folder_is_refused_and_one_within_it_too(tmp_path):
    folder, outside = tmp_path / "set", tmp_path / "outside"
    (folder / "real").mkdir(parents=True)
    outside.mkdir()
    (folder / "real" / "alias").symlink_to(folder / "real")
    assert pictures.list_inside(folder, folder) == [folder / "real"]
    with pytest.raises(DataError, match=r"alias: a link to .*real, which would count twice"):
        pictures.list_inside(folder / "real", folder)
    (folder / "away").symlink_to(outside)
    with pytest.raises(DataError, match=r"away: a link that leaves"):
        pictures.list_inside(folder, folder)
    with pytest.raises(DataError, match=r"away: a link that leaves"):
        pictures.require_inside(folder / "away", folder)
    (tmp_path / "link").symlink_to(folder)
    assert pictures.require_inside(tmp_path / "link" / "real", tmp_path / "link")


@pytest.mark.defect("D4")
@pytest.mark.parametrize(
    ("mode", "colour", "grey"),
    [
        ("L", 77, 77),
        ("1", 1, 255),
        ("RGB", (255, 0, 0), 76),
        ("RGBA", (200, 100, 50, 255), 124),
        ("RGBA", (0, 0, 0, 51), 204),  # a fifth of black over white
        ("I;16", 65535, 255),
        ("I;16", 257 * 80 + 128, 80),
    ],
)
def test_every_pixel_format_becomes_grey_as_documented(tmp_path, mode, colour, grey):
    path = tmp_path / "p.png"
    Image.new(mode, (5, 4), colour).save(path)
    picture = read_grey(path)
    assert picture.dtype == np.uint8 and picture.shape == (4, 5) and set(picture.ravel().tolist()) == {grey}
    with path.open("rb") as file:
        np.testing.assert_array_equal(read_grey(path, file), picture)


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw"])
@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_a_tiff_that_is_turned_on_its_side_is_read_the_same_by_its_path(tmp_path, mode, compression):
    """By its path, Pillow maps uncompressed pixels into memory in the shape that they have after the turn."""
    stored = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    values = np.stack([stored] * 3, axis=2) if mode == "RGB" else stored
    image = Image.fromarray(values.astype(np.uint16) * 257 if mode == "I;16" else values)
    for orientation, upright in {5: stored.T, 6: np.rot90(stored, -1), 8: np.rot90(stored)}.items():
        exif = image.getexif()
        exif[0x0112] = orientation
        path = tmp_path / f"{orientation}.tif"
        image.save(path, exif=exif, compression=compression)
        np.testing.assert_array_equal(read_grey(path), upright)


def half_hidden(mode: str) -> tuple[Image.Image, dict]:
    """Left half white or opaque white, right half fully transparent over black; and how to save it."""
    if mode in ("RGBA", "LA"):
        picture = Image.new(mode, (8, 4), (*[255] * (len(mode) - 1), 255))
        picture.paste((*[0] * (len(mode) - 1), 0), (4, 0, 8, 4))
        return picture, {}
    picture = Image.new(mode, (8, 4), (255, 255, 255) if mode == "RGB" else 65535 if mode == "I;16" else 255)
    picture.paste((0, 0, 0) if mode == "RGB" else 0, (4, 0, 8, 4))
    if mode == "P":
        picture.putpalette([0, 0, 0] * 255 + [255, 255, 255])
    return picture, {"transparency": (0, 0, 0) if mode == "RGB" else 0}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "RGB", "L", "P", "I;16"])
def test_colours_under_full_transparency_decide_nothing(tmp_path, mode):
    picture, options = half_hidden(mode)
    picture.save(tmp_path / "p.png", **options)
    assert set(read_grey(tmp_path / "p.png").ravel().tolist()) == {255}


def test_a_wholly_transparent_picture_is_refused(tmp_path):
    picture = Image.new("P", (4, 4), 1)
    picture.putpalette([0, 0, 0, 0, 255, 0])
    picture.save(tmp_path / "opaque.png")
    assert set(read_grey(tmp_path / "opaque.png").ravel().tolist()) == {150}
    picture.save(tmp_path / "p.png", transparency=1)
    with pytest.raises(DataError, match=r"p\.png: wholly transparent"):
        read_grey(tmp_path / "p.png")


@pytest.mark.parametrize("kind", ["png", "tiff"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 12])
def test_few_bits_in_16_are_refused_in_colour_as_in_grey(tmp_path, kind, channels, bits):
    """Pillow reads 16-bit colour as its upper byte, which holds nothing or next to nothing of them."""
    values = np.random.default_rng(0).integers(0, 1 << bits, (9, 8, channels)).astype(np.uint16)
    if channels == 4:
        values[:, :, 3] = 65535
    cv2.imwrite(str(tmp_path / f"p.{kind}"), values)
    with pytest.raises(DataError, match=rf"p\.{kind}: 16 bits, but no value above"):
        read_grey(tmp_path / f"p.{kind}")
    whole_range = (values.astype(np.uint32) * (65535 // values[:, :, :3].max())).clip(0, 65535)
    cv2.imwrite(str(tmp_path / f"p.{kind}"), whole_range.astype(np.uint16))
    grey = np.clip(whole_range[:, :, :3] @ ([1] if channels == 1 else [0.114, 0.587, 0.299]) / 257, 0, 255)
    assert np.abs(read_grey(tmp_path / f"p.{kind}") - grey).max() < 1.6


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\n<!DOCTYPE html><html>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS"),
        (b"", "empty"),
        (b"nothing of the kind", "of no known format"),
    ],
)
def test_a_file_in_another_format_is_called_by_its_name(tmp_path, head, name):
    (tmp_path / "p.jpg").write_bytes(head)
    with pytest.raises(DataError, match=rf"p\.jpg: not a readable picture \(.*{name}"):
        read_grey(tmp_path / "p.jpg")
    with (tmp_path / "p.jpg").open("rb") as file, pytest.raises(DataError, match=name):
        read_grey(tmp_path / "p.jpg", file)


def resized(kind: str, width: int, height: int) -> bytes:
    """A picture file whose head claims another size."""
    head = bytearray(encoded(kind))
    at, order = (16, ">II") if kind == "png" else (18, "<II")
    head[at : at + 8] = struct.pack(order, width, height)
    if kind == "png":
        head[29:33] = struct.pack(">I", zlib.crc32(head[12:29]))
    return bytes(head)


@pytest.mark.parametrize("size", [(170_000_000, 1), (1, 170_000_000), (70_000, 2)])
@pytest.mark.parametrize("kind", ["png", "bmp"])
def test_a_very_long_picture_is_refused_by_its_head(tmp_path, monkeypatch, kind, size):
    (tmp_path / f"p.{kind}").write_bytes(resized(kind, *size))
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("loaded"))
    with pytest.raises(DataError, match=rf"p\.{kind}: not a readable picture .*65,536 on one side"):
        read_grey(tmp_path / f"p.{kind}")


def test_what_pillow_warns_of_is_not_printed(tmp_path):
    (tmp_path / "p.png").write_bytes(resized("png", 12_000, 12_000))  # it warns above 89 million pixels
    code = "import sys; from face_sets.readers.pictures import read_grey; read_grey(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", code, tmp_path / "p.png"], capture_output=True, text=True)
    assert "DataError" in ran.stderr and "Warning" not in ran.stderr


def encoded(kind: str, mode="L") -> bytes:
    file = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 256, (40, 40)).astype(np.uint8)
    Image.fromarray(noise).convert(mode).save(file, kind)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff"])
@pytest.mark.parametrize("keep", [0, 0.02, 0.9])
def test_a_picture_cut_short_is_named(tmp_path, kind, keep):
    whole_file = encoded(kind)
    path = tmp_path / f"bad.{kind}"
    path.write_bytes(whole_file[: int(keep * len(whole_file))])
    with pytest.raises(DataError, match=rf"bad\.{kind}: not a readable picture"):
        read_grey(path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "tiff", "gif"])
def test_a_damaged_picture_is_read_or_named_never_anything_else(tmp_path, kind):
    rng = np.random.default_rng(2)
    path = tmp_path / "p"
    sound = np.frombuffer(encoded(kind), np.uint8)
    for _ in range(50):
        damaged = sound.copy()
        damaged[rng.integers(0, min(len(sound), 400), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            assert read_grey(path).dtype == np.uint8
        except DataError as fault:
            assert str(path) in str(fault)


def test_a_claim_of_a_huge_picture_is_refused_before_memory_is_asked_for(tmp_path):
    (tmp_path / "huge.png").write_bytes(resized("png", 60_000, 60_000))
    with pytest.raises(DataError, match=r"huge\.png: not a readable picture \(more than"):
        read_grey(tmp_path / "huge.png")


def test_other_pixel_formats_and_absent_files_are_named(tmp_path):
    Image.new("F", (4, 4)).save(tmp_path / "f.tiff")
    with pytest.raises(DataError, match=r"f\.tiff: pixel format F; expected 8-bit grey or colour"):
        read_grey(tmp_path / "f.tiff")
    with pytest.raises(DataError, match=r"gone\.png: not a readable picture"):
        read_grey(tmp_path / "gone.png")


def test_pictures_come_in_order_without_those_that_are_left_out():
    pixels, found = pictures.gather_pictures(
        20, 8, lambda k: np.full((8, 8), 10 * k, np.uint8) if k % 3 else None
    )
    assert pixels[:, 0, 0].tolist() == [10 * k for k in range(20) if k % 3]
    assert found.tolist() == [k % 3 != 0 for k in range(20)]


def test_pictures_are_in_memory_once():
    def load(row: int) -> np.ndarray:
        return np.full((128, 128), row % 251, np.uint8)

    pictures.gather_pictures(2, 128, load)  # what it imports is not to be measured
    tracemalloc.start()
    pictures.gather_pictures(400, 128, load)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.3 * 400 * 128**2


def test_the_first_bad_picture_is_the_one_named(tmp_path):
    for k in range(30):
        Image.new("L", (8, 8)).save(tmp_path / f"{k:02d}.png")
    (tmp_path / "07.png").write_bytes(b"x")
    (tmp_path / "21.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"07\.png: not a readable picture"):
        pictures.gather_pictures(30, 8, lambda k: read_grey(tmp_path / f"{k:02d}.png"))


def test_postscript_under_a_pictures_name_starts_no_program(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n")
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: pytest.fail("started"))
    with pytest.raises(DataError, match=r"a\.png: not a readable picture"):
        read_grey(path)
