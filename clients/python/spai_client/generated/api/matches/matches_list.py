from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.matches_list_status import MatchesListStatus
from ...models.matches_list_world import MatchesListWorld
from ...models.paginated_match_list import PaginatedMatchList
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
import datetime



def _get_kwargs(
    *,
    competition: str | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    page_size: int | Unset = 50,
    status: MatchesListStatus | Unset = UNSET,
    team: str | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    world: MatchesListWorld | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(if_none_match, Unset):
        headers["If-None-Match"] = if_none_match



    

    params: dict[str, Any] = {}

    params["competition"] = competition

    params["cursor"] = cursor

    json_from_: str | Unset = UNSET
    if not isinstance(from_, Unset):
        json_from_ = from_.isoformat()
    params["from"] = json_from_

    params["page_size"] = page_size

    json_status: str | Unset = UNSET
    if not isinstance(status, Unset):
        json_status = status.value

    params["status"] = json_status

    params["team"] = team

    json_to: str | Unset = UNSET
    if not isinstance(to, Unset):
        json_to = to.isoformat()
    params["to"] = json_to

    json_world: str | Unset = UNSET
    if not isinstance(world, Unset):
        json_world = world.value

    params["world"] = json_world


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/matches/",
        "params": params,
    }


    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Any | PaginatedMatchList | Problem | None:
    if response.status_code == 200:
        response_200 = PaginatedMatchList.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[Any | PaginatedMatchList | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    competition: str | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    page_size: int | Unset = 50,
    status: MatchesListStatus | Unset = UNSET,
    team: str | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    world: MatchesListWorld | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | PaginatedMatchList | Problem]:
    """ Matches ordered by kick-off

     Return one page of matches.

    Args:
        competition (str | Unset):
        cursor (str | Unset):
        from_ (datetime.datetime | Unset):
        page_size (int | Unset):  Default: 50.
        status (MatchesListStatus | Unset):
        team (str | Unset):
        to (datetime.datetime | Unset):
        world (MatchesListWorld | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | PaginatedMatchList | Problem]
     """


    kwargs = _get_kwargs(
        competition=competition,
cursor=cursor,
from_=from_,
page_size=page_size,
status=status,
team=team,
to=to,
world=world,
if_none_match=if_none_match,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    competition: str | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    page_size: int | Unset = 50,
    status: MatchesListStatus | Unset = UNSET,
    team: str | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    world: MatchesListWorld | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | PaginatedMatchList | Problem | None:
    """ Matches ordered by kick-off

     Return one page of matches.

    Args:
        competition (str | Unset):
        cursor (str | Unset):
        from_ (datetime.datetime | Unset):
        page_size (int | Unset):  Default: 50.
        status (MatchesListStatus | Unset):
        team (str | Unset):
        to (datetime.datetime | Unset):
        world (MatchesListWorld | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | PaginatedMatchList | Problem
     """


    return sync_detailed(
        client=client,
competition=competition,
cursor=cursor,
from_=from_,
page_size=page_size,
status=status,
team=team,
to=to,
world=world,
if_none_match=if_none_match,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    competition: str | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    page_size: int | Unset = 50,
    status: MatchesListStatus | Unset = UNSET,
    team: str | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    world: MatchesListWorld | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Response[Any | PaginatedMatchList | Problem]:
    """ Matches ordered by kick-off

     Return one page of matches.

    Args:
        competition (str | Unset):
        cursor (str | Unset):
        from_ (datetime.datetime | Unset):
        page_size (int | Unset):  Default: 50.
        status (MatchesListStatus | Unset):
        team (str | Unset):
        to (datetime.datetime | Unset):
        world (MatchesListWorld | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[Any | PaginatedMatchList | Problem]
     """


    kwargs = _get_kwargs(
        competition=competition,
cursor=cursor,
from_=from_,
page_size=page_size,
status=status,
team=team,
to=to,
world=world,
if_none_match=if_none_match,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    competition: str | Unset = UNSET,
    cursor: str | Unset = UNSET,
    from_: datetime.datetime | Unset = UNSET,
    page_size: int | Unset = 50,
    status: MatchesListStatus | Unset = UNSET,
    team: str | Unset = UNSET,
    to: datetime.datetime | Unset = UNSET,
    world: MatchesListWorld | Unset = UNSET,
    if_none_match: str | Unset = UNSET,

) -> Any | PaginatedMatchList | Problem | None:
    """ Matches ordered by kick-off

     Return one page of matches.

    Args:
        competition (str | Unset):
        cursor (str | Unset):
        from_ (datetime.datetime | Unset):
        page_size (int | Unset):  Default: 50.
        status (MatchesListStatus | Unset):
        team (str | Unset):
        to (datetime.datetime | Unset):
        world (MatchesListWorld | Unset):
        if_none_match (str | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Any | PaginatedMatchList | Problem
     """


    return (await asyncio_detailed(
        client=client,
competition=competition,
cursor=cursor,
from_=from_,
page_size=page_size,
status=status,
team=team,
to=to,
world=world,
if_none_match=if_none_match,

    )).parsed
