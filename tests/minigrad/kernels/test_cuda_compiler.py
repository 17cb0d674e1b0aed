"""NVIDIA's compilers take every CUDA source as it is launched; neither needs a card."""

from __future__ import annotations

from pathlib import Path

import pytest
from cuda_compiler import ARCHITECTURES, Variant, compiled, nvrtc, ptxas, table, usages, variants
from cuda_compiler import versions as compiler_versions

from minigrad.kernels import cuda

WHY = "pip install -e '.[cuda-test]'"
needs_nvrtc = pytest.mark.skipif(nvrtc() is None, reason=f"NVRTC is not installed: {WHY}")
needs_ptxas = pytest.mark.skipif(
    nvrtc() is None or ptxas() is None, reason=f"NVRTC or ptxas is not installed: {WHY}"
)
USUAL = list(variants(reals=("float",), indices=("int",), tiles=((8, 4),)))
REALS = {"float": 4, "double": 8}
DOCUMENT = Path(__file__).parents[3] / "docs" / "cuda.md"


def check(variant, architecture):
    """It compiles for the architecture, holds its kernels, and keeps everything in registers."""
    binary, assembly = compiled(variant, architecture)
    assert binary.startswith(b"\x7fELF")
    assert f".target sm_{architecture}".encode() in assembly
    found = usages(variant, architecture)
    assert found.keys() == {name for name, file in cuda.FILES.items() if file == variant.file}
    for name, usage in found.items():
        assert usage.spilt == 0, (name, variant, architecture)
        # What a multiprocessor has lasts for four blocks at once, in double precision for two.
        blocks = 16 // REALS[variant.real]
        assert usage.registers * 128 * blocks <= 65536, (name, variant, architecture)
        assert usage.shared * blocks <= 64 * 1024, (name, variant, architecture)


@needs_ptxas
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_source_compiles_for_a_card_that_is_not_there_and_spills_no_register(architecture):
    for variant in USUAL:
        check(variant, architecture)


@needs_ptxas
@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_precision_index_type_and_tile_compiles_likewise(architecture):
    for variant in variants():
        check(variant, architecture)


@needs_nvrtc
def test_a_fault_in_a_source_is_told_by_its_line():
    with pytest.raises(AssertionError, match=r'kernel\.cu\(2\): error: identifier "nothing"'):
        nvrtc().compile("__global__ void k(int *x) {\n *x = nothing; }", ["-arch=sm_90"])


@needs_nvrtc
@pytest.mark.parametrize("file", ["conv2d.cu", "conv_transpose2d.cu", "conv2d_weight_grad.cu"])
def test_a_thread_reads_its_part_of_a_tile_four_numbers_at_a_time(file):
    """One load of a tile's row serves four multiplications, or half the time goes into loads."""
    text = compiled(Variant(file, tile=(8, 4)), 90)[1]
    assert text.count(b"ld.shared.v4") >= 16 * 3  # for each k: eight rows and four columns


@needs_ptxas
@pytest.mark.slow
def test_the_documents_table_of_registers_is_what_the_compilers_say():
    text = DOCUMENT.read_text(encoding="utf-8")
    if compiler_versions() not in text:
        pytest.skip(f"the table is of other compilers than {compiler_versions()}")
    for row in table():
        assert row in text
