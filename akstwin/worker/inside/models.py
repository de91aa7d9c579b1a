"""`Model.get_model_path` of azureml-core for scripts in a container without azureml-core: it finds models on the disk."""

import os
from pathlib import Path
from typing import Any, NoReturn


class AzureMLException(Exception):
    """Base of azureml-core's errors."""

    @property
    def message(self) -> str:
        """What is wrong."""
        return str(self)


class WebserviceException(AzureMLException):
    """The question can't be answered."""


class ModelNotFoundException(AzureMLException):
    """There is no such model in the container."""


class NotBrought(ImportError):
    """A part of azureml-core that akstwin does not bring to the container."""


def _refuse(name: str, module: str) -> NoReturn:
    raise NotBrought(
        f"{module}.{name} is not usable here: akstwin brings Model.get_model_path and the errors of azureml-core to a script's "
        "container, and no more. Install azureml-core for the Python that runs akstwin; scripts then get the real one.",
        name=f"{module}.{name}",
    )


class Imported(type):
    """Classes that can be imported, named in annotations and passed to `isinstance`; any other use is refused."""

    def __call__(cls, *_: Any, **__: Any) -> NoReturn:
        """Refuse to make an instance."""
        _refuse(cls.__name__, cls.__module__)

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):  # Python asks for these, no script
            raise AttributeError(name)
        _refuse(cls.__name__, cls.__module__)


class Model(metaclass=Imported):
    """The one part of a model that a container without azureml-core has: where it is."""

    __module__ = "azureml.core.model"

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None) -> str:
        """The model's file or folder below `azureml-models/NAME/VERSION`; failing that, `model_name` in the working directory.

        Args:
            model_name: of the model.
            version: its version; None: the newest in the container.

        Raises:
            ModelNotFoundException: no such model is here.
            WebserviceException: not this version of it, not a version, or several files without one folder around them.
        """
        if not isinstance(model_name, str) or not model_name:
            raise WebserviceException(f"model_name: {model_name!r} is not the name of a model")
        if version is not None and not isinstance(version, int):
            raise WebserviceException(f"version: {version!r} is not an int")
        root = Path(os.environ["AML_APP_ROOT"], "azureml-models")
        versions = {int(path.name): path for path in (root / model_name).glob("*") if path.name.isdecimal()}
        folder = versions.get(max(versions, default=0) if version is None else version)
        if folder is not None:
            inside = sorted(path.name for path in folder.iterdir())
            if len(inside) != 1:
                raise WebserviceException(
                    f"{folder} holds {inside}; the path of a model is that of one file or folder. "
                    "AZUREML_MODEL_DIR leads to all of them."
                )
            return str(folder / inside[0])
        if Path(model_name).exists():
            return model_name
        here = sorted(f"{path.parent.name}:{path.name}" for path in root.glob("*/*"))
        asked = model_name if version is None else f"{model_name}:{version}"
        missing = f"There is no model {asked} in this container; there are: {', '.join(here) or 'none'}"
        raise ModelNotFoundException(missing) if version is None else WebserviceException(missing)
