"""`python -m akstwin` is the `akstwin` command."""

from akstwin.cli import main

main()
