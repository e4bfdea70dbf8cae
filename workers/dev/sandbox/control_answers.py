"""How the control API reads its requests and words its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

if TYPE_CHECKING:
    from pydantic import ValidationError
    from starlette.requests import Request

_Model = TypeVar("_Model", bound=BaseModel)


async def read_body(request: Request, model: type[_Model]) -> _Model:
    """The request's body.

    Raises:
        ValidationError: It does not fit the model.
    """
    return model.model_validate_json(await request.body())


def explain(error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong with a body, and what a field might have been meant to be."""
    complaints = []
    for each in error.errors(include_url=False):
        place = ".".join(map(str, each["loc"]))
        if each["type"] == "extra_forbidden":
            complaints.append(f"{place}: no such field; there are {', '.join(model.model_fields)}")
        else:
            complaints.append(f"{place}: {each['msg']}" if place else each["msg"])
    return "; ".join(complaints)


def bad_request(message: str) -> Response:
    """A refusal."""
    return JSONResponse({"error": message}, status_code=400)


def content(body: bytes, status: int = 200) -> Response:
    """An answer that is JSON already."""
    return Response(body, status, media_type="application/json")
