"""The JSON body of a control call."""

from typing import Annotated, Any, Final

from fastapi import Depends, Request

from akstwin.errors import AksError
from akstwin.fake_api.json_body import parse

_JSON: Final = "application/json"


async def json_body(request: Request) -> Any:
    """A call's body.

    Raises:
        AksError: there is none, it was sent as something else, or it is no JSON.
    """
    body = await request.body()
    if not body:
        raise AksError("body: Field required")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON and not (kind.startswith("application/") and kind.endswith("+json")):
        raise AksError("body: expected JSON, with the header Content-Type: application/json")
    return parse(body)


Given = Annotated[Any, Depends(json_body)]
"""What a route that takes JSON gets."""
