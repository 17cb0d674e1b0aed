"""From a folder of photographs to a denoised picture, PyTorch and ONNX: one command each."""

import numpy
import pytest
from PIL import Image
from running import python

import autoencoder
import minigrad
from autoencoder.classifier import WEIGHTS
from autoencoder.commands.denoise import main as denoise
from autoencoder.commands.export import main as export
from autoencoder.commands.export import onnx_model, torch_source
from autoencoder.data.faces import sample_faces
from autoencoder.lecture.sections import DEMOS, load_demo
from autoencoder.models import Denoiser
from autoencoder.training import TrainingSettings, train
from minigrad import manual_seed

NETWORKS = {
    "AutoEncoder": (lambda: autoencoder.AutoEncoder(3, (30, 17), 3), (3, 30, 17)),
    "Denoiser": (lambda: Denoiser(3, 5), (3, 20, 26)),
    "DenseAutoEncoder": (lambda: autoencoder.DenseAutoEncoder(2, (3, 4, 5), bias=False), (3, 4, 5)),
    "MLPAutoEncoder": (lambda: autoencoder.MLPAutoEncoder(2, 7, 1), (2,)),
    "SmoothAutoEncoder": (lambda: autoencoder.SmoothAutoEncoder(2, (3, 8, 8), 9), (3, 8, 8)),
    "Classifier": (lambda: autoencoder.load_model(WEIGHTS), (1, 28, 28)),
}


def example(name):
    manual_seed(0)
    make, shape = NETWORKS[name]
    x = numpy.random.default_rng(0).random((5, *shape), dtype="float32")
    model = make()
    return model, x, autoencoder.reconstruct(model, x)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_source_for_pytorch_computes_the_same(name, tmp_path):
    torch = pytest.importorskip("torch")
    model, x, expected = example(name)
    (tmp_path / "network.py").write_text(torch_source(model))
    numpy.savez(tmp_path / "network.npz", **model.state_dict())
    twin = load_demo("network", tmp_path).load()
    with torch.no_grad():
        found = twin(torch.from_numpy(x)).numpy()
        if hasattr(twin, "encode"):
            again = twin.decode(twin.encode(torch.from_numpy(x))).numpy()
            numpy.testing.assert_allclose(again, found, atol=1e-5)
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_onnx_file_computes_the_same(name):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    model, x, expected = example(name)
    session = runtime.InferenceSession(onnx_model(model), providers=["CPUExecutionProvider"])
    for count in (5, 1):
        (found,) = session.run(None, {"x": x[:count]})
        numpy.testing.assert_allclose(found, expected[:count], rtol=1e-5, atol=1e-5)


def test_a_picture_in_tiles_is_the_picture_as_a_whole():
    manual_seed(0)
    model = Denoiser(1, 4)
    for height, width in ((20, 400), (400, 20), (271, 300), (145, 9), (144, 272)):
        image = numpy.random.default_rng(0).random((1, height, width), dtype="float32")
        mirrored = numpy.pad(image[None], ((0, 0), (0, 0), (8, 8), (8, 8)), "reflect")
        whole = numpy.clip(autoencoder.reconstruct(model, mirrored)[0, :, 8:-8, 8:-8], 0, 1)
        numpy.testing.assert_allclose(autoencoder.denoise(model, image), whole, atol=1e-6)


def test_a_picture_is_denoised_at_its_border_as_it_is_inside():
    """A layer sees fewer pixels there: without more around it, the border came out worse."""
    manual_seed(0)
    model = Denoiser(1, 4)
    constant = numpy.full((1, 40, 30), 0.5, "float32")
    found = autoencoder.denoise(model, constant)
    numpy.testing.assert_allclose(found, found[0, 20, 15], atol=1e-6)


def test_grey_models_take_each_colour_and_colour_models_give_grey_for_grey():
    manual_seed(0)
    image = numpy.random.default_rng(0).random((3, 20, 24), dtype="float32")
    grey = Denoiser(1, 4)
    found = autoencoder.denoise(grey, image)
    for channel in range(3):
        one = autoencoder.denoise(grey, image[channel : channel + 1])[0]
        numpy.testing.assert_allclose(found[channel], one, atol=1e-6)
    assert autoencoder.denoise(Denoiser(3, 4), image[:1]).shape == (1, 20, 24)
    with pytest.raises(ValueError, match="expected a picture"):
        autoencoder.denoise(grey, image[None])


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """2,000 JPEG files of 64 x 64 pixels in colour, in sub-folders."""
    folder = tmp_path_factory.mktemp("photographs")
    images, values = sample_faces(2_000, numpy.random.default_rng(0), 8, 64)
    for i, (image, value) in enumerate(zip(images, values, strict=True)):
        place = folder / ("smiling" if value[6] > 0.5 else "sad")
        place.mkdir(exist_ok=True)
        pixels = numpy.rint(255 * image.transpose(1, 2, 0)).astype("uint8")
        Image.fromarray(pixels).save(place / f"{i:04d}.jpg", quality=95)
    return folder


@pytest.mark.slow
def test_from_2_000_photographs_to_a_denoised_picture_pytorch_and_onnx_by_one_command_each(
    photographs, tmp_path
):
    torch = pytest.importorskip("torch")
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")

    def run(demo, *arguments):
        return python(DEMOS / demo, *arguments, cwd=tmp_path, timeout=1_000).stdout

    said = run("train_denoiser.py", "--data", photographs, "--preset", "smoke")
    assert "without a bottleneck" in " ".join(said.split())
    picture = next((photographs / "sad").iterdir())
    run("denoise.py", picture)
    denoised = tmp_path / "denoised" / f"{picture.stem}.png"
    assert Image.open(denoised).size == (64, 64)
    assert Image.open(denoised).mode == "RGB"

    model = autoencoder.load_model(tmp_path / "runs" / "train_denoiser" / "001")
    x = numpy.random.default_rng(1).random((2, 3, 40, 50), dtype="float32")
    expected = autoencoder.reconstruct(model, x)
    run("export.py", "runs/train_denoiser/001", "--to", "torch")
    with torch.no_grad():
        found = load_demo("network", tmp_path / "exported").load()(torch.from_numpy(x)).numpy()
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    run("export.py", "--to", "onnx")  # the last run, without being told
    session = runtime.InferenceSession(tmp_path / "exported" / "network.onnx")
    (found,) = session.run(None, {"x": x})
    numpy.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.fixture
def place(tmp_path):
    """A folder with a trained denoiser, an autoencoder and a picture of 20 x 30."""
    x = numpy.random.default_rng(0).random((4, 1, 28, 28), dtype="float32")
    for name, model in (("wide", Denoiser(1, 2)), ("narrow", autoencoder.AutoEncoder(2))):
        (tmp_path / name).mkdir()
        train(model, x, TrainingSettings(epochs=1), folder=tmp_path / name, quiet=True)
    pixels = numpy.random.default_rng(0).integers(0, 256, (20, 30, 3), "uint8")
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    (tmp_path / "text.png").write_text("no picture")
    Image.fromarray(pixels[:5, :5]).save(tmp_path / "tiny.png")
    (tmp_path / "other").mkdir()
    Image.fromarray(pixels).save(tmp_path / "other" / "photo.jpg")
    return tmp_path


def test_pictures_and_folders_of_them_are_denoised(place, capsys):
    assert denoise(["photo.png", "--model", "wide"]) == 0
    assert capsys.readouterr().out == "photo.png -> denoised/photo.png\n"
    written = numpy.asarray(Image.open("denoised/photo.png")) / 255
    pixels = numpy.asarray(Image.open("photo.png")).transpose(2, 0, 1).astype("float32") / 255
    expected = autoencoder.denoise(autoencoder.load_model("wide"), pixels)
    numpy.testing.assert_allclose(written.transpose(2, 0, 1), expected, atol=0.51 / 255)
    assert denoise(["other", "--model", "narrow", "--size", "28", "--out", "small"]) == 0
    assert Image.open("small/photo.png").size == (28, 28)


REFUSED = {
    "no run": (denoise, ["photo.png"], "there is no run of train_denoiser in runs/ here"),
    "no picture": (denoise, ["text.png", "--model", "wide"], "text.png: is no image"),
    "nothing there": (denoise, ["none.png", "--model", "wide"], "none.png: No such file"),
    "no model": (denoise, ["photo.png", "--model", "photo.png"], "photo.png: seal: is missing"),
    "another size": (denoise, ["photo.png", "--model", "narrow"], "is 20 x 30, this AutoEncoder"),
    "too small": (denoise, ["tiny.png", "--model", "wide"], "is 5 x 5, the least is 9 x 9"),
    "a good one first": (denoise, ["photo.png", "text.png", "--model", "wide"], "text.png: is no"),
    "over itself": (denoise, ["photo.png", "--model", "wide", "--out", "."], "is to be read"),
    "to one place": (
        denoise,
        ["photo.png", "other/photo.jpg", "--model", "wide"],
        "would both be written to denoised/photo.png",
    ),
    "a classifier": (denoise, ["photo.png", "--model", str(WEIGHTS)], "gives back no pictures"),
    "export of nothing": (export, ["none", "--to", "torch"], "No such file"),
    "export to Keras": (export, ["wide", "--to", "keras"], "invalid choice: 'keras'"),
    "export to nowhere": (export, ["wide"], "--to"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_one_line_and_status_2_and_writes_nothing(case, place, refused):
    main, arguments, words = REFUSED[case]
    assert words in refused(main, arguments)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("autoencoder", "python -m autoencoder denoise --help"),
        ("autoencoder denoise --help", "IMAGE"),
        ("minigrad", f"minigrad {minigrad.__version__}, Python"),
        ("minigrad", "BLAS"),
    ],
)
def test_the_packages_themselves_say_what_they_are(arguments, words):
    assert words in python("-m", *arguments.split()).stdout
