"""The former name of `akstwin.cores.router_http`, kept for imports that use it."""

from akstwin.cores.router_http import (
    VERSION_HEADER,
    Headers,
    match_path,
    passed_headers,
    refusal_text,
    router_headers,
)

__all__ = ["VERSION_HEADER", "Headers", "match_path", "passed_headers", "refusal_text", "router_headers"]
