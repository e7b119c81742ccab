from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.event_page import EventPage
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    after: int | Unset = 0,
    competition: str | Unset = UNSET,
    limit: int | Unset = 100,
    match: str | Unset = UNSET,
    team: str | Unset = UNSET,
    topic: str | Unset = UNSET,
    world: str | Unset = UNSET,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    params["after"] = after

    params["competition"] = competition

    params["limit"] = limit

    params["match"] = match

    params["team"] = team

    params["topic"] = topic

    params["world"] = world


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/events/",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> EventPage | Problem | None:
    if response.status_code == 200:
        response_200 = EventPage.from_dict(response.json())



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

    if response.status_code == 409:
        response_409 = Problem.from_dict(response.json())



        return response_409

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[EventPage | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    after: int | Unset = 0,
    competition: str | Unset = UNSET,
    limit: int | Unset = 100,
    match: str | Unset = UNSET,
    team: str | Unset = UNSET,
    topic: str | Unset = UNSET,
    world: str | Unset = UNSET,

) -> Response[EventPage | Problem]:
    """ Events after a number

     For programs that poll. A websocket and a stream of Server-Sent Events send the same at once: see
    `/api/asyncapi.json`.

    Args:
        after (int | Unset):  Default: 0.
        competition (str | Unset):
        limit (int | Unset):  Default: 100.
        match (str | Unset):
        team (str | Unset):
        topic (str | Unset):
        world (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventPage | Problem]
     """


    kwargs = _get_kwargs(
        after=after,
competition=competition,
limit=limit,
match=match,
team=team,
topic=topic,
world=world,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    after: int | Unset = 0,
    competition: str | Unset = UNSET,
    limit: int | Unset = 100,
    match: str | Unset = UNSET,
    team: str | Unset = UNSET,
    topic: str | Unset = UNSET,
    world: str | Unset = UNSET,

) -> EventPage | Problem | None:
    """ Events after a number

     For programs that poll. A websocket and a stream of Server-Sent Events send the same at once: see
    `/api/asyncapi.json`.

    Args:
        after (int | Unset):  Default: 0.
        competition (str | Unset):
        limit (int | Unset):  Default: 100.
        match (str | Unset):
        team (str | Unset):
        topic (str | Unset):
        world (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventPage | Problem
     """


    return sync_detailed(
        client=client,
after=after,
competition=competition,
limit=limit,
match=match,
team=team,
topic=topic,
world=world,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    after: int | Unset = 0,
    competition: str | Unset = UNSET,
    limit: int | Unset = 100,
    match: str | Unset = UNSET,
    team: str | Unset = UNSET,
    topic: str | Unset = UNSET,
    world: str | Unset = UNSET,

) -> Response[EventPage | Problem]:
    """ Events after a number

     For programs that poll. A websocket and a stream of Server-Sent Events send the same at once: see
    `/api/asyncapi.json`.

    Args:
        after (int | Unset):  Default: 0.
        competition (str | Unset):
        limit (int | Unset):  Default: 100.
        match (str | Unset):
        team (str | Unset):
        topic (str | Unset):
        world (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[EventPage | Problem]
     """


    kwargs = _get_kwargs(
        after=after,
competition=competition,
limit=limit,
match=match,
team=team,
topic=topic,
world=world,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    after: int | Unset = 0,
    competition: str | Unset = UNSET,
    limit: int | Unset = 100,
    match: str | Unset = UNSET,
    team: str | Unset = UNSET,
    topic: str | Unset = UNSET,
    world: str | Unset = UNSET,

) -> EventPage | Problem | None:
    """ Events after a number

     For programs that poll. A websocket and a stream of Server-Sent Events send the same at once: see
    `/api/asyncapi.json`.

    Args:
        after (int | Unset):  Default: 0.
        competition (str | Unset):
        limit (int | Unset):  Default: 100.
        match (str | Unset):
        team (str | Unset):
        topic (str | Unset):
        world (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        EventPage | Problem
     """


    return (await asyncio_detailed(
        client=client,
after=after,
competition=competition,
limit=limit,
match=match,
team=team,
topic=topic,
world=world,

    )).parsed
