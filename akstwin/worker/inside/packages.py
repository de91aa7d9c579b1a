"""What to install when a script imports a package that is not there."""

_OF_DEFAULTS = {
    "applicationinsights": "applicationinsights",
    "azureml.dataprep": "azureml-dataset-runtime",
    "azureml_inference_server_http": "azureml-inference-server-http",
    "flask": "flask",
    "flask_cors": "flask-cors",
    "gunicorn": "gunicorn",
    "inference_schema": "inference-schema",
    "json_logging_py": "json-logging-py",
    "jsonlogging": "json-logging-py",
    "msrest": "msrest",
    "opencensus": "opencensus",
    "requests": "requests",
    "werkzeug": "werkzeug",
}
"""Packages that `azureml-defaults` brings to a container, by the modules that scripts import."""
_NAMED_OTHERWISE = {
    "PIL": "pillow",
    "azureml.automl": "azureml-automl-runtime",
    "azureml.mlflow": "azureml-mlflow",
    "azureml.pipeline": "azureml-pipeline",
    "azureml.train": "azureml-train",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python-headless",
    "dateutil": "python-dateutil",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Packages whose modules have another name."""


def remedy(error: BaseException) -> str:
    """What to do about a module that is missing: a sentence; nothing if that is not what is wrong."""
    missing = getattr(error, "name", None)
    if not isinstance(error, ModuleNotFoundError) or not missing:
        return ""
    known = {**_OF_DEFAULTS, **_NAMED_OTHERWISE}
    parts = missing.split(".")
    heads = [".".join(parts[:length]) for length in range(len(parts), 0, -1)]
    package = next((known[head] for head in heads if head in known), parts[0])
    brought = " (azureml-defaults brings it to a real container)" if package in _OF_DEFAULTS.values() else ""
    return (
        "akstwin builds no image: scripts see their deployed files and the packages of the Python that runs akstwin. "
        f"If {missing} is not a file of yours, install {package} there{brought}."
    )
