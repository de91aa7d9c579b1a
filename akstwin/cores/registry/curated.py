"""Curated environments: those that Azure ML keeps in every workspace, under names that begin with `AzureML-`.

Source: the pages on curated environments of the Azure documentation and the names that notebooks of 2019 to 2023 use. Nothing is
installed here, so that their content says no more than a Python and `azureml-defaults`; and since their versions came and went
with the months, every version number is there.
"""

import re
from typing import Final

from akstwin.domain.documents import Json

PREFIXES: Final = ("AzureML", "Microsoft")
"""What the names of curated environments begin with; no other environment may be called so."""

_TABLE: Final = """
Minimal Tutorial Designer Sidecar AutoML AutoML-GPU AutoML-DNN AutoML-DNN-GPU AutoML-DNN-Vision-GPU
Scikit-learn-0.20.3 Chainer-5.1.0-CPU Chainer-5.1.0-GPU Dask-CPU Dask-GPU PySpark-MmlSpark-0.15 Hyperdrive-ForecastDNN
PyTorch-1.0-CPU PyTorch-1.0-GPU PyTorch-1.1-CPU PyTorch-1.1-GPU PyTorch-1.2-CPU PyTorch-1.2-GPU PyTorch-1.3-CPU
PyTorch-1.3-GPU PyTorch-1.4-CPU PyTorch-1.4-GPU PyTorch-1.5-CPU PyTorch-1.5-GPU PyTorch-1.6-CPU PyTorch-1.6-GPU
TensorFlow-1.10-CPU TensorFlow-1.10-GPU TensorFlow-1.12-CPU TensorFlow-1.12-GPU TensorFlow-1.13-CPU TensorFlow-1.13-GPU
TensorFlow-2.0-CPU TensorFlow-2.0-GPU TensorFlow-2.1-CPU TensorFlow-2.1-GPU TensorFlow-2.2-CPU TensorFlow-2.2-GPU
TensorFlow-2.3-CPU TensorFlow-2.3-GPU VowpalWabbit-8.8.0 DeepSpeed-0.3-GPU Triton
sklearn-0.24-ubuntu18.04-py37-cpu sklearn-1.0-ubuntu20.04-py38-cpu lightgbm-3.2-ubuntu18.04-py37-cpu
pytorch-1.7-ubuntu18.04-py37-cuda11-gpu pytorch-1.8-ubuntu18.04-py37-cuda11-gpu pytorch-1.9-ubuntu18.04-py37-cuda11-gpu
pytorch-1.10-ubuntu18.04-py38-cuda11-gpu tensorflow-2.4-ubuntu18.04-py37-cuda11-gpu
tensorflow-2.5-ubuntu20.04-py38-cuda11-gpu tensorflow-2.6-ubuntu20.04-py38-cuda11-gpu
tensorflow-2.7-ubuntu20.04-py38-cuda11-gpu responsibleai-0.21-ubuntu20.04-py38-cpu ACPT-pytorch-1.11-py38-cuda11.3-gpu
ACPT-pytorch-1.12-py38-cuda11.6-gpu ACPT-pytorch-1.13-py38-cuda11.7-gpu
minimal-ubuntu18.04-py37-cpu-inference minimal-ubuntu20.04-py38-cpu-inference sklearn-0.24.1-ubuntu18.04-py37-cpu-inference
onnxruntime-1.6-ubuntu18.04-py37-cpu-inference pytorch-1.6-ubuntu18.04-py37-cpu-inference
pytorch-1.7-ubuntu18.04-py37-cpu-inference pytorch-1.9-ubuntu18.04-py37-cpu-inference
tensorflow-1.15-ubuntu18.04-py37-cpu-inference tensorflow-2.4-ubuntu18.04-py37-cpu-inference
xgboost-0.9-ubuntu18.04-py37-cpu-inference
"""
NAMES: Final = tuple(f"AzureML-{name}" for name in _TABLE.split())
"""The curated environments that are listed."""

_FAMILIES: Final = "|".join(sorted({re.match(r"[a-z]+", name.lower()).group() for name in _TABLE.split()}))  # type: ignore[union-attr]  # names begin with letters
_RELATED: Final = re.compile(rf"AzureML-({_FAMILIES})(-[A-Za-z]+)*(-\d[\w.]*)(-[\w.]+)*", re.IGNORECASE)
"""Further versions of what is listed, which nobody can list: `AzureML-PyTorch-1.6.1-CPU`."""
_PYTHON: Final = re.compile(r"-py(\d)(\d+)\b")


def curated_environment(name: str, version: str | None = None) -> Json | None:
    """The document of a curated environment; None: that is none.

    Args:
        name: of the environment.
        version: a number; None: the newest, 1.
    """
    if name not in NAMES and _RELATED.fullmatch(name) is None:
        return None
    if version is not None and not version.isdecimal():
        return None
    python = _PYTHON.search(name)
    interpreter = "3.6.2" if python is None else f"{python[1]}.{python[2]}"
    packages = [f"python={interpreter}", {"pip": ["azureml-core", "azureml-defaults"]}]
    return {
        "name": name,
        "version": version or "1",
        "environmentVariables": {"EXAMPLE_ENV_VAR": "EXAMPLE_VALUE"},
        "python": {
            "userManagedDependencies": False,
            "interpreterPath": "python",
            "condaDependenciesFile": None,
            "baseCondaEnvironment": None,
            "condaDependencies": {"name": "project_environment", "channels": ["conda-forge"], "dependencies": packages},
        },
        "docker": {
            "enabled": False,
            "baseImage": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04",
            "baseDockerfile": None,
            "sharedVolumes": True,
            "shmSize": "2g",
            "arguments": [],
            "baseImageRegistry": {"address": None, "username": None, "password": None, "registryIdentity": None},
            "platform": {"os": "Linux", "architecture": "amd64"},
        },
        "inferencingStackVersion": None,
    }
