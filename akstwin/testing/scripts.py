"""Entry scripts that promises are tried with: files that every world can run."""

from pathlib import Path
from typing import Final

_ANSWERS: Final = '''\
"""Says its word, and does what the request asks for."""

import json
import os
import time
from pathlib import Path

from azureml.contrib.services.aml_response import AMLResponse

WORD = {word!r}
NAP = {nap!r}


def init():
    print("init of", WORD)


def run(data):
    asked = json.loads(data or "{{}}")
    deed = asked.get("do")
    if "say" in asked:
        print("run says", asked["say"])
    if deed == "raise":
        raise ValueError("run was asked to raise")
    if deed == "die":
        os._exit(7)
    while deed == "hang":
        time.sleep(1)
    time.sleep(NAP)
    if deed == "teapot":
        return AMLResponse("short and stout", 418, {{"x-pot": "tea"}})
    answer = {{"word": WORD, "number": asked.get("number")}}
    if "variable" in asked:
        answer["variable"] = os.environ.get(asked["variable"])
    if "file" in asked:
        found = sorted(Path(os.environ["AZUREML_MODEL_DIR"]).rglob(asked["file"]))
        answer["file"] = [path.read_text() for path in found]
    return answer
'''
_FAILS: Final = '''\
"""Cannot start."""


def init():
    print("about to fail")
    raise RuntimeError("this init always fails")


def run(data):
    return data
'''
_HANGS: Final = '''\
"""Never finishes to start."""

import time


def init():
    while True:
        time.sleep(1)


def run(data):
    return data
'''
INIT_ERROR: Final = "RuntimeError: this init always fails"
"""What the traceback of `failing` ends with."""
RUN_ERROR: Final = "ValueError: run was asked to raise"
"""What the traceback of a request that asks to raise ends with."""


def answering(folder: Path, word: str, nap: float) -> None:
    """A script that answers with its word, after a nap of so many seconds; or does as it is asked."""
    _write(folder, _ANSWERS.format(word=word, nap=nap))


def failing(folder: Path) -> None:
    """A script whose `init()` raises."""
    _write(folder, _FAILS)


def hanging(folder: Path) -> None:
    """A script whose `init()` does not return."""
    _write(folder, _HANGS)


def _write(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "score.py").write_text(text, encoding="utf-8")
