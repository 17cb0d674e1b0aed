"""The page on many processes and machines, held to what it says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from benchmarking.ranks import NBYTES, SIZES
from benchmarking.ranks.chain_model import NETWORKS, chain_seconds, exchange_seconds

from autoencoder.models import AutoEncoder
from minigrad.parallel import chain

PAGE = (Path(__file__).parents[2] / "docs" / "distributed.md").read_text(encoding="utf-8")


def block(language, beginning):
    """The page's block of code in a language that begins so."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return next(text for text in found if text.startswith(beginning))


def test_its_python_runs():
    names = {"__name__": "page"}
    exec(block("python", "import numpy"), names)
    assert names["restored"].shape == names["images"].shape


def test_its_table_is_the_models():
    assert sum(each.data.nbytes for each in AutoEncoder(8).parameters()) == NBYTES
    for name, network in NETWORKS.items():
        for what, function in (("chain", chain_seconds), ("exchange", exchange_seconds)):
            values = " | ".join(f"{1e3 * function(size, NBYTES, network):.2f}" for size in SIZES)
            assert f"| {what}, {name} | {values} |" in PAGE


def test_its_numbers_are_the_chains():
    assert f"chunks of {chain.CHUNK:,} numbers" in PAGE
    assert f"at most {chain.KEPT_BYTES >> 20} MiB" in PAGE


def test_its_slurm_script_is_one():
    script = block("bash", "#!/usr/bin/env bash")
    bash = shutil.which("bash") or pytest.skip("needs bash")
    found = subprocess.run([bash, "-n"], input=script, capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    options = re.findall(r"^#SBATCH --([\w-]+)(?:=(\S+))?$", script, re.MULTILINE)
    assert len(options) == script.count("#SBATCH")
    assert {"nodes", "ntasks-per-node", "signal", "requeue"} <= dict(options).keys()


def test_its_kubernetes_job_is_one():
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load(block("yaml", "apiVersion"))
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v2beta1", "MPIJob")
    assert job["spec"]["mpiImplementation"] in ("OpenMPI", "Intel", "MPICH")
    kinds = job["spec"]["mpiReplicaSpecs"]
    assert kinds.keys() == {"Launcher", "Worker"}
    for kind in kinds.values():
        (container,) = kind["template"]["spec"]["containers"]
        assert container.keys() >= {"name", "image"}
        names = {volume["name"] for volume in kind["template"]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} <= names
    (script,) = kinds["Launcher"]["template"]["spec"]["containers"][0]["args"]
    assert f"-n {kinds['Worker']['replicas']} " in script
    bash = shutil.which("bash") or pytest.skip("needs bash")
    assert subprocess.run([bash, "-n"], input=script, text=True).returncode == 0
