"""What runs inside the worker process, and nothing of ours that is heavy.

The folder is loaded under a private name (`process.BOOT`), so that neither our modules nor our dependencies can meet the
modules of the user's script: only the standard library is imported here.
"""
