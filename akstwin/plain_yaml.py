"""YAML as plain data, or a refusal in one line: scenario files, settings on the command line, conda specifications."""

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.reader import ReaderError

from akstwin.domain.nesting import DEEPEST, check_nesting
from akstwin.errors import InvalidSetting


class NotYaml(ValueError):
    """Text that YAML cannot read.

    Attributes:
        line: where, from 1 on; 0: the document as a whole is refused.
        problem: what is wrong there.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line = line
        self.problem = " ".join(problem.split())

    def __str__(self) -> str:
        return f"line {self.line}: {self.problem}" if self.line else self.problem


def read_yaml(text: str) -> Any:
    """Plain data from YAML.

    Raises:
        NotYaml: what the text holds is none, is more than one document, is nested too deeply, or repeats itself by aliases
            until it is too large.
    """
    try:
        value = YAML(typ="safe", pure=True).load(text)
        check_nesting("the document", value)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = str(error.problem or "not YAML")
        raise NotYaml(line, f"{error.context}, {problem}" if problem.startswith("but ") else problem) from error
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(line, f"the character {chr(error.character)!r} is not allowed") from error
    except InvalidSetting as error:
        raise NotYaml(0, f"{error.args[1]} is not {error.expected}") from None
    except RecursionError as error:
        raise NotYaml(0, f"a document that is not nested at most {DEEPEST} levels deep") from error
    except (YAMLError, ValueError, OverflowError) as error:
        raise NotYaml(1, f"not YAML: {error}") from error
    return value
