from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.ledger_leaves import LedgerLeaves
from ...models.ledger_leaves_world import LedgerLeavesWorld
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    day: datetime.date,
    *,
    position: int | Unset = 0,
    world: LedgerLeavesWorld | Unset = UNSET,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    params["position"] = position

    json_world: str | Unset = UNSET
    if not isinstance(world, Unset):
        json_world = world.value

    params["world"] = json_world


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/ledger/{day}/leaves/".format(day=quote(str(day), safe=""),),
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> LedgerLeaves | Problem | None:
    if response.status_code == 200:
        response_200 = LedgerLeaves.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[LedgerLeaves | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    day: datetime.date,
    *,
    client: AuthenticatedClient,
    position: int | Unset = 0,
    world: LedgerLeavesWorld | Unset = UNSET,

) -> Response[LedgerLeaves | Problem]:
    """ The leaves of a day, from which anyone can compute its root

     Return leaves in the order of the tree.

    Args:
        day (datetime.date):
        position (int | Unset):  Default: 0.
        world (LedgerLeavesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[LedgerLeaves | Problem]
     """


    kwargs = _get_kwargs(
        day=day,
position=position,
world=world,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    day: datetime.date,
    *,
    client: AuthenticatedClient,
    position: int | Unset = 0,
    world: LedgerLeavesWorld | Unset = UNSET,

) -> LedgerLeaves | Problem | None:
    """ The leaves of a day, from which anyone can compute its root

     Return leaves in the order of the tree.

    Args:
        day (datetime.date):
        position (int | Unset):  Default: 0.
        world (LedgerLeavesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        LedgerLeaves | Problem
     """


    return sync_detailed(
        day=day,
client=client,
position=position,
world=world,

    ).parsed

async def asyncio_detailed(
    day: datetime.date,
    *,
    client: AuthenticatedClient,
    position: int | Unset = 0,
    world: LedgerLeavesWorld | Unset = UNSET,

) -> Response[LedgerLeaves | Problem]:
    """ The leaves of a day, from which anyone can compute its root

     Return leaves in the order of the tree.

    Args:
        day (datetime.date):
        position (int | Unset):  Default: 0.
        world (LedgerLeavesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[LedgerLeaves | Problem]
     """


    kwargs = _get_kwargs(
        day=day,
position=position,
world=world,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    day: datetime.date,
    *,
    client: AuthenticatedClient,
    position: int | Unset = 0,
    world: LedgerLeavesWorld | Unset = UNSET,

) -> LedgerLeaves | Problem | None:
    """ The leaves of a day, from which anyone can compute its root

     Return leaves in the order of the tree.

    Args:
        day (datetime.date):
        position (int | Unset):  Default: 0.
        world (LedgerLeavesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        LedgerLeaves | Problem
     """


    return (await asyncio_detailed(
        day=day,
client=client,
position=position,
world=world,

    )).parsed
