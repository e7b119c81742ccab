from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.prediction import Prediction
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    id: int,
    *,
    as_of: datetime.datetime | Unset = UNSET,
    include: str | Unset = UNSET,
    model: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    params: dict[str, Any] = {}

    json_as_of: str | Unset = UNSET
    if not isinstance(as_of, Unset):
        json_as_of = as_of.isoformat()
    params["as_of"] = json_as_of

    params["include"] = include

    params["model"] = model


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/matches/{id}/prediction/".format(id=quote(str(id), safe=""),),
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | Prediction | Problem | None:
    if response.status_code == 200:
        response_200 = Prediction.from_dict(response.json())



        return response_200

    if response.status_code == 304:
        response_304 = cast(Any, None)
        return response_304

    if response.status_code == 400:
        response_400 = Problem.from_dict(response.json())



        return response_400

    if response.status_code == 401:
        response_401 = Problem.from_dict(response.json())



        return response_401

    if response.status_code == 403:
        response_403 = Problem.from_dict(response.json())



        return response_403

    if response.status_code == 404:
        response_404 = Problem.from_dict(response.json())



        return response_404

    if response.status_code == 406:
        response_406 = Problem.from_dict(response.json())



        return response_406

    if response.status_code == 422:
        response_422 = Problem.from_dict(response.json())



        return response_422

    if response.status_code == 429:
        response_429 = Problem.from_dict(response.json())



        return response_429

    if response.status_code == 503:
        response_503 = Problem.from_dict(response.json())



        return response_503

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | Prediction | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    id: int,
    *,
    client: AuthenticatedClient,
    as_of: datetime.datetime | Unset = UNSET,
    include: str | Unset = UNSET,
    model: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | Prediction | Problem]:
    """ The forecast of one match

     The latest forecast that was published before the kick-off; for a fixture without one, a forecast
    made now. Probabilities have five decimals and sum to 1; the scorelines sum to them within 0.00001.
    While a feed tells minute and score, `live` has the chances that follow from these and the forecast;
    they are not graded.

    Args:
        id (int):
        as_of (datetime.datetime | Unset):
        include (str | Unset):
        model (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Prediction | Problem]
     """


    kwargs = _get_kwargs(
        id=id,
as_of=as_of,
include=include,
model=model,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    id: int,
    *,
    client: AuthenticatedClient,
    as_of: datetime.datetime | Unset = UNSET,
    include: str | Unset = UNSET,
    model: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | Prediction | Problem | None:
    """ The forecast of one match

     The latest forecast that was published before the kick-off; for a fixture without one, a forecast
    made now. Probabilities have five decimals and sum to 1; the scorelines sum to them within 0.00001.
    While a feed tells minute and score, `live` has the chances that follow from these and the forecast;
    they are not graded.

    Args:
        id (int):
        as_of (datetime.datetime | Unset):
        include (str | Unset):
        model (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Prediction | Problem
     """


    return sync_detailed(
        id=id,
client=client,
as_of=as_of,
include=include,
model=model,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    id: int,
    *,
    client: AuthenticatedClient,
    as_of: datetime.datetime | Unset = UNSET,
    include: str | Unset = UNSET,
    model: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | Prediction | Problem]:
    """ The forecast of one match

     The latest forecast that was published before the kick-off; for a fixture without one, a forecast
    made now. Probabilities have five decimals and sum to 1; the scorelines sum to them within 0.00001.
    While a feed tells minute and score, `live` has the chances that follow from these and the forecast;
    they are not graded.

    Args:
        id (int):
        as_of (datetime.datetime | Unset):
        include (str | Unset):
        model (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | Prediction | Problem]
     """


    kwargs = _get_kwargs(
        id=id,
as_of=as_of,
include=include,
model=model,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    id: int,
    *,
    client: AuthenticatedClient,
    as_of: datetime.datetime | Unset = UNSET,
    include: str | Unset = UNSET,
    model: str | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | Prediction | Problem | None:
    """ The forecast of one match

     The latest forecast that was published before the kick-off; for a fixture without one, a forecast
    made now. Probabilities have five decimals and sum to 1; the scorelines sum to them within 0.00001.
    While a feed tells minute and score, `live` has the chances that follow from these and the forecast;
    they are not graded.

    Args:
        id (int):
        as_of (datetime.datetime | Unset):
        include (str | Unset):
        model (str | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | Prediction | Problem
     """


    return (await asyncio_detailed(
        id=id,
client=client,
as_of=as_of,
include=include,
model=model,
if_none_match=if_none_match,

    )).parsed
