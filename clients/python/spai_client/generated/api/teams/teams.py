from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.found_teams import FoundTeams
from ...models.problem import Problem
from ...models.teams_world import TeamsWorld
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    q: str,
    world: TeamsWorld | Unset = UNSET,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    params["q"] = q

    json_world: str | Unset = UNSET
    if not isinstance(world, Unset):
        json_world = world.value

    params["world"] = json_world


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/teams/",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> FoundTeams | Problem | None:
    if response.status_code == 200:
        response_200 = FoundTeams.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[FoundTeams | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    q: str,
    world: TeamsWorld | Unset = UNSET,

) -> Response[FoundTeams | Problem]:
    """ The teams that a text names

     Full, short and common names and names in sources, without regard to accents and case.

    Args:
        q (str):
        world (TeamsWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[FoundTeams | Problem]
     """


    kwargs = _get_kwargs(
        q=q,
world=world,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    q: str,
    world: TeamsWorld | Unset = UNSET,

) -> FoundTeams | Problem | None:
    """ The teams that a text names

     Full, short and common names and names in sources, without regard to accents and case.

    Args:
        q (str):
        world (TeamsWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        FoundTeams | Problem
     """


    return sync_detailed(
        client=client,
q=q,
world=world,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    q: str,
    world: TeamsWorld | Unset = UNSET,

) -> Response[FoundTeams | Problem]:
    """ The teams that a text names

     Full, short and common names and names in sources, without regard to accents and case.

    Args:
        q (str):
        world (TeamsWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[FoundTeams | Problem]
     """


    kwargs = _get_kwargs(
        q=q,
world=world,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    q: str,
    world: TeamsWorld | Unset = UNSET,

) -> FoundTeams | Problem | None:
    """ The teams that a text names

     Full, short and common names and names in sources, without regard to accents and case.

    Args:
        q (str):
        world (TeamsWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        FoundTeams | Problem
     """


    return (await asyncio_detailed(
        client=client,
q=q,
world=world,

    )).parsed
