"""Folders of pictures and NumPy files become sets of images; Pillow and NumPy wrote them."""

import io

import numpy as np
import pytest
from PIL import Image

from autoencoder import load
from autoencoder.data.arrays import DataError
from autoencoder.data.image_files import read_image, read_images


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def read(path):
    """The pixels of one file, colours last."""
    pixels = read_images([path])[0]
    return pixels if pixels.ndim == 2 else pixels.transpose(1, 2, 0)


def test_grey_and_colour_files_give_the_pixels_that_were_written(tmp_path):
    for name in ("a.png", "b.BMP", "c.tif", "d.ppm", "e.tga", "f.webp"):
        colour = noise(20, 30, 3)
        options = {"lossless": True} if name.endswith("webp") else {}
        path = save(tmp_path / name, colour, **options)
        np.testing.assert_array_equal(read(path), colour)
    grey = noise(20, 30)
    np.testing.assert_array_equal(read(save(tmp_path / "g.png", grey)), grey)
    assert read_image(tmp_path / "g.png").shape == (1, 20, 30)
    # One picture in colour, and the grey one beside it is in colour too.
    both = read_images([tmp_path / "g.png", tmp_path / "a.png"])
    assert both.shape == (2, 3, 20, 30)
    np.testing.assert_array_equal(both[0], np.stack([grey] * 3))


def test_palettes_transparency_one_bit_and_cmyk_become_plain_pixels(tmp_path):
    ramp = np.repeat(np.arange(0, 256, 8, dtype="uint8"), 16).reshape(32, 16)
    colour = np.stack([ramp, ramp[::-1], ramp * 0], axis=2)
    quantized = Image.fromarray(colour).convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    quantized.save(tmp_path / "palette.gif")
    np.testing.assert_array_equal(
        read(tmp_path / "palette.gif"), np.asarray(quantized.convert("RGB"))
    )
    alpha = np.dstack([colour, np.zeros((32, 16), "uint8")])
    alpha[:16, :, 3] = 255
    shown = read(save(tmp_path / "alpha.png", alpha))
    np.testing.assert_array_equal(shown[:16], colour[:16])
    assert (shown[16:] == 255).all()  # what is transparent is white
    bits = Image.fromarray(noise(16, 16) > 127)
    bits.save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read(tmp_path / "bits.png"), np.asarray(bits) * np.uint8(255))
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "cmyk.tif")
    assert abs(read(tmp_path / "cmyk.tif").astype(int) - colour).max() <= 1
    grey_palette = Image.fromarray(ramp).convert("P")
    grey_palette.save(tmp_path / "grey.png")
    np.testing.assert_array_equal(read(tmp_path / "grey.png"), ramp)


def test_sixteen_bits_are_rounded_to_eight(tmp_path):
    levels = np.arange(0, 65536, 256, dtype="uint16").reshape(16, 16)
    deep = read(save(tmp_path / "deep.png", levels))
    np.testing.assert_array_equal(deep, np.rint(levels / 257).astype("uint8"))
    levels = np.linspace(0, 1, 256, dtype="float32").reshape(16, 16)
    floats = read(save(tmp_path / "float.tif", levels))
    np.testing.assert_array_equal(floats, np.arange(256, dtype="uint8").reshape(16, 16))
    with pytest.raises(DataError, match=r"wide.tif: pixels from 0 to 2, expected 0 to 1"):
        read(save(tmp_path / "wide.tif", 2 * levels))


def test_a_camera_turned_on_its_side_gives_an_upright_picture(tmp_path):
    upright = noise(20, 30)
    exif = Image.Exif()
    exif[0x0112] = 6  # rows run from the right to the left
    path = save(tmp_path / "turned.png", np.rot90(upright), exif=exif)
    np.testing.assert_array_equal(read(path), upright)
    # It has the size of its neighbours once it is upright.
    save(tmp_path / "straight.png", noise(20, 30))
    assert read_images(sorted(tmp_path.glob("*.png"))).shape == (2, 20, 30)


def test_a_size_crops_to_the_middle_square_and_scales(tmp_path):
    wide = np.zeros((40, 100), "uint8")
    wide[:, 30:70] = 200  # the middle square, and nothing beside it
    save(tmp_path / "wide.png", wide)
    save(tmp_path / "large.jpg", np.full((600, 800, 3), 200, "uint8"))
    both = read_images(sorted(tmp_path.iterdir()), size=16)
    assert both.shape == (2, 3, 16, 16)
    assert abs(both[0].astype(int) - 200).max() <= 1
    assert abs(both[1, :, :, 1:-1].astype(int) - 200).max() <= 5  # the filter reaches 3 pixels out
    path = tmp_path / "digits.npy"
    np.save(path, np.full((10, 8, 8), 0.25, "float32"))
    dataset = load(path, size=24)
    assert dataset.image_shape == (1, 24, 24)
    np.testing.assert_allclose(dataset.images("train"), 0.25, atol=1e-6)


def folder_of_classes(folder, counts, size=(16, 16)):
    for name, count in counts.items():
        for i in range(count):
            save(folder / name / f"{i:03d}.png", np.full(size, 10 * i + len(name), "uint8"))
    return folder


def test_sub_folders_are_labels_and_every_image_is_read_once(tmp_path):
    folder = folder_of_classes(tmp_path / "pets", {"cat": 12, "hamster": 8})
    (folder / ".hidden.png").write_bytes(b"no image")
    dataset = load(folder)
    assert dataset.classes == ("cat", "hamster")
    assert (len(dataset.train_images), len(dataset.test_images)) == (18, 2)
    pixels = np.concatenate([dataset.train_images, dataset.test_images])[:, 0, 0]
    labels = np.concatenate([dataset.labels("train"), dataset.labels("test")])
    expected = [(10 * i + 3, 0) for i in range(12)] + [(10 * i + 7, 1) for i in range(8)]
    assert sorted(zip(pixels.tolist(), labels.tolist())) == sorted(expected)
    # The split follows from the seed.
    assert load(folder, seed=0).digest == dataset.digest != load(folder, seed=1).digest
    assert len(load(folder, test_share=0.5).test_images) == 10


def test_sub_folders_train_and_test_are_the_splits(tmp_path):
    folder_of_classes(tmp_path / "set" / "train", {"a": 3, "bb": 2})
    folder_of_classes(tmp_path / "set" / "test", {"a": 1, "bb": 1})
    dataset = load(tmp_path / "set")
    assert dataset.labels("train").tolist() == [0, 0, 0, 1, 1]
    assert dataset.labels("test").tolist() == [0, 1]
    assert dataset.train_images[:, 0, 0].tolist() == [1, 11, 21, 2, 12]


def test_pictures_beside_sub_folders_have_no_labels(tmp_path, capsys):
    folder = folder_of_classes(tmp_path / "album", {"summer": 3, "winter": 3})
    save(folder / "cover.png", noise(16, 16))
    (folder / "notes.txt").write_text("not a picture")
    dataset = load(folder)
    assert not dataset.has_labels
    assert len(dataset.train_images) + len(dataset.test_images) == 7
    assert capsys.readouterr().err == f"{folder}: left out, 1 file is no image: notes.txt\n"


@pytest.mark.parametrize("dtype", ["uint8", "float16", ">f4", "float64", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(10, 16, 20), (10, 16, 20, 1), (10, 3, 16, 20), (10, 16, 20, 3)])
def test_arrays_of_every_layout_and_byte_order_are_read_as_by_numpy(tmp_path, dtype, order, shape):
    values = np.random.default_rng(0).random(shape)
    scaled = values > 0.5 if dtype == "bool" else values * (255 if dtype == "uint8" else 1)
    array = np.asarray(scaled.astype(dtype), order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", images=array, other=np.array([None]))
    wanted = array.astype("float32") / (255 if dtype == "uint8" else 1)
    if shape[-1] in (1, 3):
        wanted = wanted.transpose(0, 3, 1, 2)
    wanted = wanted.reshape(10, -1, 16, 20)
    for path in (tmp_path / "a.npy", tmp_path / "a.npz"):
        dataset = load(path)
        found = np.concatenate([dataset.images("train"), dataset.images("test")])
        assert found.shape == wanted.shape
        order_of = [np.abs(wanted - image).max(axis=(1, 2, 3)).argmin() for image in found]
        assert sorted(order_of) == list(range(10))
        np.testing.assert_allclose(found, wanted[order_of], atol=1e-7)


def test_an_npz_holds_labels_and_splits_under_the_names_people_use(tmp_path):
    x, y = noise(6, 16, 16), np.array([[1], [0], [1], [2], [2], [0]])
    np.savez(tmp_path / "keras.npz", x_train=x[:4], y_train=y[:4], x_test=x[4:], y_test=y[4:])
    dataset = load(tmp_path / "keras.npz")
    np.testing.assert_array_equal(dataset.train_images, x[:4])
    assert dataset.labels("test").tolist() == [2, 0]
    np.savez(tmp_path / "words.npz", images=x, labels=np.array(list("aababb")))
    dataset = load(tmp_path / "words.npz")
    assert dataset.classes == ("a", "b")
    pairs = zip(dataset.train_images[:, 0, 0], dataset.labels("train"))
    by_pixel = dict(zip(x[:, 0, 0].tolist(), [0, 0, 1, 0, 1, 1]))
    assert all(by_pixel[int(pixel)] == label for pixel, label in pairs)


def test_a_single_idx_file_is_a_set_without_labels(tmp_path):
    from autoencoder.data.idx import write_idx

    write_idx(tmp_path / "pictures.gz", noise(20, 18, 18))
    dataset = load(tmp_path / "pictures.gz")
    assert repr(dataset) == "Dataset('pictures', 18 training and 2 test images of 18 x 18)"


def test_a_set_of_many_files_takes_the_memory_of_its_pixels_and_no_more(tmp_path):
    import tracemalloc

    folder = tmp_path / "many"
    folder.mkdir()
    file = io.BytesIO()
    Image.fromarray(noise(64, 64, 3)).save(file, "PNG")
    for i in range(600):
        (folder / f"{i}.png").write_bytes(file.getvalue())
    load(folder)  # Pillow's plugins are imported by now
    tracemalloc.start()
    dataset = load(folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    pixels = dataset.train_images.nbytes + dataset.test_images.nbytes
    assert pixels == 600 * 3 * 64 * 64
    assert peak < pixels + 2**20
