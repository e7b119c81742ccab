from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.ledger_list import LedgerList
from ...models.ledger_world import LedgerWorld
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    *,
    before: datetime.date | Unset = UNSET,
    world: LedgerWorld | Unset = UNSET,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    json_before: str | Unset = UNSET
    if not isinstance(before, Unset):
        json_before = before.isoformat()
    params["before"] = json_before

    json_world: str | Unset = UNSET
    if not isinstance(world, Unset):
        json_world = world.value

    params["world"] = json_world


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/ledger/",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> LedgerList | Problem | None:
    if response.status_code == 200:
        response_200 = LedgerList.from_dict(response.json())



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

    if response.status_code == 406:
        response_406 = Problem.from_dict(response.json())



        return response_406

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[LedgerList | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    before: datetime.date | Unset = UNSET,
    world: LedgerWorld | Unset = UNSET,

) -> Response[LedgerList | Problem]:
    """ Closed days of the ledger

     Return the closed days, newest first.

    Args:
        before (datetime.date | Unset):
        world (LedgerWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[LedgerList | Problem]
     """


    kwargs = _get_kwargs(
        before=before,
world=world,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    before: datetime.date | Unset = UNSET,
    world: LedgerWorld | Unset = UNSET,

) -> LedgerList | Problem | None:
    """ Closed days of the ledger

     Return the closed days, newest first.

    Args:
        before (datetime.date | Unset):
        world (LedgerWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        LedgerList | Problem
     """


    return sync_detailed(
        client=client,
before=before,
world=world,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    before: datetime.date | Unset = UNSET,
    world: LedgerWorld | Unset = UNSET,

) -> Response[LedgerList | Problem]:
    """ Closed days of the ledger

     Return the closed days, newest first.

    Args:
        before (datetime.date | Unset):
        world (LedgerWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[LedgerList | Problem]
     """


    kwargs = _get_kwargs(
        before=before,
world=world,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    before: datetime.date | Unset = UNSET,
    world: LedgerWorld | Unset = UNSET,

) -> LedgerList | Problem | None:
    """ Closed days of the ledger

     Return the closed days, newest first.

    Args:
        before (datetime.date | Unset):
        world (LedgerWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        LedgerList | Problem
     """


    return (await asyncio_detailed(
        client=client,
before=before,
world=world,

    )).parsed
