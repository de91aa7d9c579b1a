"""What holds for all tests."""

import os

if os.environ.get("AKSTWIN_COMPILED"):  # the same tests on what `akstwin compile` has made
    from akstwin.speedups import activate

    assert activate(), "nothing is compiled, or the sources have changed since: run akstwin compile"
