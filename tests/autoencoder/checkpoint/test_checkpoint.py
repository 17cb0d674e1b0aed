import json
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from autoencoder.storage.checkpoint import (
    CheckpointError,
    decode_npy,
    encode_npy,
    load_checkpoint,
    save_checkpoint,
)

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
fuzz = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}(/[A-Za-z0-9_-]{1,8}){0,2}", fullmatch=True)
some_arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(
        dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    )
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@fuzz
@given(
    arrays=st.dictionaries(names, some_arrays, max_size=4),
    metadata=st.dictionaries(st.text(), json_values, max_size=3),
)
def test_everything_comes_back_bit_for_bit_and_numpy_can_read_it(tmp_path, arrays, metadata):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, arrays, metadata)
    back, back_metadata = load_checkpoint(path, expected=arrays)
    assert back_metadata == metadata
    assert list(back) == list(arrays)
    with np.load(path, allow_pickle=False) as by_numpy:
        assert json.loads(by_numpy["metadata.json"]) == metadata
        for name, array in arrays.items():
            assert back[name].dtype == by_numpy[name].dtype == array.dtype
            assert back[name].shape == by_numpy[name].shape == array.shape
            assert back[name].tobytes() == by_numpy[name].tobytes() == array.tobytes()
            assert back[name].flags.writeable
            assert back[name].flags.c_contiguous


def test_byte_order_and_layout_do_not_matter(tmp_path):
    array = np.arange(12, dtype=">f4").reshape(3, 4)
    for index, same in enumerate([array, array.astype("<f4"), np.asfortranarray(array)]):
        save_checkpoint(tmp_path / str(index), {"a": same, "b": np.float32(2)}, {"seed": 2**127})
        back, metadata = load_checkpoint(tmp_path / str(index))
        np.testing.assert_array_equal(back["a"], array)
        assert back["a"].dtype.isnative
        assert back["b"].shape == ()
        assert metadata["seed"] == 2**127
    contents = {(tmp_path / str(index)).read_bytes() for index in range(3)}
    assert len(contents) == 1


CIRCLE: dict = {}
CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    ("error", "words", "arrays", "metadata"),
    [
        *(
            (ValueError, "name", {name: np.ones(1)}, {})
            for name in ("", "../a", "/a", "a\\b", "a\n", "metadata.json", 3)
        ),
        (TypeError, "'a' must be a numpy.ndarray, not list", {"a": [1.0]}, {}),
        (TypeError, "'a': dtype object", {"a": np.array([None])}, {}),
        (TypeError, "'a': dtype <U1", {"a": np.array(["x"])}, {}),
        (TypeError, "'a': dtype", {"a": np.zeros(2, "f4,i4")}, {}),
        (TypeError, "metadata: .*set", {}, {"a": {1}}),
        (TypeError, "metadata: the key 3", {}, {"a": [{3: 1}]}),
        (TypeError, "metadata must be a dict, not list", {}, []),
        (ValueError, "metadata: Circular", {}, CIRCLE),
    ],
)
def test_what_cannot_be_stored_is_refused_and_not_written(tmp_path, error, words, arrays, metadata):
    with pytest.raises(error, match=words):
        save_checkpoint(tmp_path / "c", arrays, metadata)
    assert not list(tmp_path.iterdir())


ONE = np.ones((2, 3))
UNEXPECTED = [
    ("b", "missing .and 1 more", {"expected": dict.fromkeys("abc", ONE)}),
    ("a", "unexpected", {"expected": {}}),
    ("a", r"shape \(2, 3\), expected \(3, 2\)", {"expected": {"a": ONE.T}}),
    ("a", "dtype float64, expected float32", {"expected": {"a": ONE.astype("f4")}}),
    ("a", r"nan at index \(1, 2\)", {"require_finite": True}),
    ("metadata 'model'", "is 'one', expected 'other'", {"expected_metadata": {"model": "other"}}),
    ("metadata 'latent'", "missing", {"expected_metadata": {"latent": 8}}),
    ("file", "more than 100", {"max_bytes": 100}),
]


@pytest.mark.parametrize(("field", "words", "options"), UNEXPECTED)
def test_what_was_not_expected_is_refused_by_name(tmp_path, field, words, options):
    array = ONE.copy()
    array[1, 2] = np.nan
    path = tmp_path / "c.npz"
    save_checkpoint(path, {"a": array}, {"model": "one", "size": (2, 3)})
    load_checkpoint(path, expected={"a": array}, expected_metadata={"size": (2, 3)})
    with pytest.raises(CheckpointError, match=words) as raised:
        load_checkpoint(path, **options)
    assert raised.value.field == field
    assert raised.value.path == str(path)
    assert str(raised.value).startswith(f"{path}: {field}: ")
    assert isinstance(raised.value, ValueError)


def test_members_are_stored_uncompressed(tmp_path):
    save_checkpoint(tmp_path / "c", {"a": np.zeros(10_000)}, {})
    with zipfile.ZipFile(tmp_path / "c") as archive:
        assert all(member.compress_type == zipfile.ZIP_STORED for member in archive.infolist())
        assert archive.testzip() is None


def test_npy_bytes_are_those_numpy_writes():
    for dtype in DTYPES:
        array = np.ones((2, 3), dtype)
        content = encode_npy(array)
        assert decode_npy(content).tobytes() == array.tobytes(), dtype
        np.testing.assert_array_equal(decode_npy(content), array)


def test_a_claimed_size_is_compared_with_the_bytes_that_follow():
    content = encode_npy(np.zeros(3, np.float32)).replace(b"(3,), }", b"(9,), }")
    with pytest.raises(ValueError, match=r"float32 \(9,\) takes 36 bytes, but 12 are there"):
        decode_npy(content)


def test_a_shape_numpy_cannot_index_is_refused_even_when_empty():
    content = encode_npy(np.zeros((0, 9_000_000_000, 1_000_000)))
    with pytest.raises(ValueError, match=r"claims the shape"):
        decode_npy(content.replace(b", 1000000)", b", 9000000)"))
