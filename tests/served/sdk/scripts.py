"""Entry scripts of the kinds that published notebooks have: with helpers, in sub-folders, raw HTTP, of several models."""

from pathlib import Path
from typing import Any

import requests
from azureml.core import Environment
from azureml.core.model import InferenceConfig, Model
from azureml.core.webservice import AksWebservice
from azureml.exceptions import WebserviceException
from common import SCRIPT, cluster, model, raised, workspace

ws = workspace("scripts")
target = cluster(ws)
registered = model(ws)
open_to_all = AksWebservice.deploy_configuration(auth_enabled=False, num_replicas=2)
ZEROS = b"\x00\xff no text"


def deploy(name: str, files: dict[str, str], entry: str = "score.py", models: Any = (registered,), **given: Any) -> Any:
    """A service whose script is one of several files; it is up."""
    for path, text in files.items():
        Path(name, path).parent.mkdir(parents=True, exist_ok=True)
        Path(name, path).write_text(text)
    environment = Environment("scripts")
    environment.environment_variables = {"GREETING": "hello"}
    config = InferenceConfig(entry_script=entry, source_directory=name, environment=environment)
    service = Model.deploy(ws, name, list(models), config, open_to_all, target, **given)
    service.wait_for_deployment()
    return service


# A script in a folder below, with a helper in the source directory, a file beside it, and a variable; it logs.
helped = deploy(
    "helped",
    {
        "code/score.py": "import json\nimport logging\nimport os\n\nfrom util import times\n\n"
        "def init():\n    global base\n    logging.info('is here')\n"
        "    base = int(open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'base.txt')).read())\n\n"
        "def run(text):\n    return {os.environ['GREETING']: times(json.loads(text)['data']) + base}\n",
        "util.py": "def times(value):\n    return 3 * value\n",
        "code/base.txt": "7",
    },
    "code/score.py",
)
assert helped.run('{"data": 2}') == {"hello": 13}
assert helped.run(b'{"data": 1}') == {"hello": 10}

# Raw HTTP, by the old names and by the new ones.
RAW = """
def init():
    pass

@rawhttp
def run(request):
    if request.method == "GET":
        return AMLResponse(request.full_path.encode(), 200)
    response = AMLResponse(request.get_data(False), 201)
    response.headers["X-Mine"] = "yes"
    return response
"""
for name, package in (("raw-old", "azureml.contrib.services"), ("raw-new", "azureml_inference_server_http.api")):
    imports = f"from {package}.aml_request import AMLRequest, rawhttp\nfrom {package}.aml_response import AMLResponse\n"
    raw = deploy(name, {"score.py": imports + RAW})
    posted = requests.post(raw.scoring_uri, data=ZEROS, timeout=30)
    assert (posted.status_code, posted.content, posted.headers["x-mine"]) == (201, ZEROS, "yes"), posted.text
    assert requests.get(raw.scoring_uri, params={"a": "b"}, timeout=30).text == "/score?a=b"

# Several models, found where they lie and by name.
Path("second").mkdir()
Path("second/other.txt").write_text("5")
second = Model.register(ws, "second", "second")
both = deploy(
    "both",
    {
        "score.py": "import os\nfrom azureml.core.model import Model\n\n"
        "def init():\n    global found\n    root = os.environ['AZUREML_MODEL_DIR']\n"
        "    found = sorted(os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root)"
        " for name in names)\n    found.append(open(Model.get_model_path('fraud')).read())\n\n"
        "def run(text):\n    return found\n"
    },
    models=(registered, second),
)
assert both.run("{}") == ["fraud/1/weights.txt", "second/1/second/other.txt", "2"]

# What a script returns.
results = deploy(
    "results",
    {
        "score.py": "import json\n\ndef init():\n    pass\n\ndef run(text):\n"
        "    return {'text': 'a', 'list': [1], 'json': json.dumps({'x': 1}), 'set': {1}}[json.loads(text)]\n"
    },
)
assert [results.run(f'"{kind}"') for kind in ("text", "list", "json")] == ["a", [1], '{"x": 1}']
assert "Response Code: 500" in raised(WebserviceException, results.run, '"set"')

# Scripts that cannot start say why, and another one in their place works.
for name, text, told in (
    ("no-package", "import not_there\n" + SCRIPT, "not_there"),
    ("no-run", "def init():\n    pass\n", "has no run()"),
):
    failure = raised(WebserviceException, deploy, name, {"score.py": text})
    assert "current service state: Failed" in failure, failure
    failed = AksWebservice(ws, name)
    assert told in failed.get_logs(), failed.get_logs()
    assert failed.error["code"] == "CrashLoopBackOff"
again = deploy("no-run", {"score.py": SCRIPT}, overwrite=True)
assert (again.state, again.error, again.run('{"data": [1]}')) == ("Healthy", None, {"answer": [2.0]})

# An update that fails leaves what was there serving.
Path("no-run/score.py").write_text("def init():\n    raise ValueError('no')\n\ndef run(text):\n    pass\n")
again.update(
    inference_config=InferenceConfig("score.py", source_directory="no-run", environment=Environment("scripts"))
)
assert "CrashLoopBackOff" in raised(WebserviceException, again.wait_for_deployment)
assert (again.state, again.run('{"data": [1]}')) == ("Failed", {"answer": [2.0]})
