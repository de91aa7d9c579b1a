"""What runs inside the worker process, and nothing of ours that is heavy.

The folder is loaded under a private name (`process.BOOT`), so that our modules never meet those of the user's script. Only the
standard library is imported; `web` is the exception, which scripts load by asking for requests and responses: it brings
werkzeug, which the real containers have, too.
"""
