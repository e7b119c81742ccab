from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.problem import Problem
from ...models.what_if import WhatIf
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    *,
    away: str,
    competition: str | Unset = UNSET,
    date: datetime.date | Unset = UNSET,
    home: str,
    include: str | Unset = UNSET,
    neutral: bool | Unset = False,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    params["away"] = away

    params["competition"] = competition

    json_date: str | Unset = UNSET
    if not isinstance(date, Unset):
        json_date = date.isoformat()
    params["date"] = json_date

    params["home"] = home

    params["include"] = include

    params["neutral"] = neutral


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/what-if/",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Problem | WhatIf | None:
    if response.status_code == 200:
        response_200 = WhatIf.from_dict(response.json())



        return response_200

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Problem | WhatIf]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    away: str,
    competition: str | Unset = UNSET,
    date: datetime.date | Unset = UNSET,
    home: str,
    include: str | Unset = UNSET,
    neutral: bool | Unset = False,

) -> Response[Problem | WhatIf]:
    """ The forecast of a match of any two teams

     The forecast uses what is known now: both teams keep their ratings of today. Nothing is stored. Past
    matches have their own forecasts, published before their kick-off.

    Args:
        away (str):
        competition (str | Unset):
        date (datetime.date | Unset):
        home (str):
        include (str | Unset):
        neutral (bool | Unset):  Default: False.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | WhatIf]
     """


    kwargs = _get_kwargs(
        away=away,
competition=competition,
date=date,
home=home,
include=include,
neutral=neutral,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    away: str,
    competition: str | Unset = UNSET,
    date: datetime.date | Unset = UNSET,
    home: str,
    include: str | Unset = UNSET,
    neutral: bool | Unset = False,

) -> Problem | WhatIf | None:
    """ The forecast of a match of any two teams

     The forecast uses what is known now: both teams keep their ratings of today. Nothing is stored. Past
    matches have their own forecasts, published before their kick-off.

    Args:
        away (str):
        competition (str | Unset):
        date (datetime.date | Unset):
        home (str):
        include (str | Unset):
        neutral (bool | Unset):  Default: False.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | WhatIf
     """


    return sync_detailed(
        client=client,
away=away,
competition=competition,
date=date,
home=home,
include=include,
neutral=neutral,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    away: str,
    competition: str | Unset = UNSET,
    date: datetime.date | Unset = UNSET,
    home: str,
    include: str | Unset = UNSET,
    neutral: bool | Unset = False,

) -> Response[Problem | WhatIf]:
    """ The forecast of a match of any two teams

     The forecast uses what is known now: both teams keep their ratings of today. Nothing is stored. Past
    matches have their own forecasts, published before their kick-off.

    Args:
        away (str):
        competition (str | Unset):
        date (datetime.date | Unset):
        home (str):
        include (str | Unset):
        neutral (bool | Unset):  Default: False.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Problem | WhatIf]
     """


    kwargs = _get_kwargs(
        away=away,
competition=competition,
date=date,
home=home,
include=include,
neutral=neutral,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    away: str,
    competition: str | Unset = UNSET,
    date: datetime.date | Unset = UNSET,
    home: str,
    include: str | Unset = UNSET,
    neutral: bool | Unset = False,

) -> Problem | WhatIf | None:
    """ The forecast of a match of any two teams

     The forecast uses what is known now: both teams keep their ratings of today. Nothing is stored. Past
    matches have their own forecasts, published before their kick-off.

    Args:
        away (str):
        competition (str | Unset):
        date (datetime.date | Unset):
        home (str):
        include (str | Unset):
        neutral (bool | Unset):  Default: False.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Problem | WhatIf
     """


    return (await asyncio_detailed(
        client=client,
away=away,
competition=competition,
date=date,
home=home,
include=include,
neutral=neutral,

    )).parsed
