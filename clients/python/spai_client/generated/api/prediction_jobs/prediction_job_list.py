from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.prediction_job_list_kind import PredictionJobListKind
from ...models.prediction_job_list_state import PredictionJobListState
from ...models.prediction_job_page import PredictionJobPage
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast
from uuid import UUID



def _get_kwargs(
    *,
    cursor: UUID | Unset = UNSET,
    kind: PredictionJobListKind | Unset = UNSET,
    page_size: int | Unset = 50,
    state: PredictionJobListState | Unset = UNSET,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    json_cursor: str | Unset = UNSET
    if not isinstance(cursor, Unset):
        json_cursor = str(cursor)
    params["cursor"] = json_cursor

    json_kind: str | Unset = UNSET
    if not isinstance(kind, Unset):
        json_kind = kind.value

    params["kind"] = json_kind

    params["page_size"] = page_size

    json_state: str | Unset = UNSET
    if not isinstance(state, Unset):
        json_state = state.value

    params["state"] = json_state


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/prediction-jobs/",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> PredictionJobPage | Problem | None:
    if response.status_code == 200:
        response_200 = PredictionJobPage.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[PredictionJobPage | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    cursor: UUID | Unset = UNSET,
    kind: PredictionJobListKind | Unset = UNSET,
    page_size: int | Unset = 50,
    state: PredictionJobListState | Unset = UNSET,

) -> Response[PredictionJobPage | Problem]:
    """ The jobs of the key

     Return a page of jobs, the newest first.

    Args:
        cursor (UUID | Unset):
        kind (PredictionJobListKind | Unset):
        page_size (int | Unset):  Default: 50.
        state (PredictionJobListState | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[PredictionJobPage | Problem]
     """


    kwargs = _get_kwargs(
        cursor=cursor,
kind=kind,
page_size=page_size,
state=state,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    cursor: UUID | Unset = UNSET,
    kind: PredictionJobListKind | Unset = UNSET,
    page_size: int | Unset = 50,
    state: PredictionJobListState | Unset = UNSET,

) -> PredictionJobPage | Problem | None:
    """ The jobs of the key

     Return a page of jobs, the newest first.

    Args:
        cursor (UUID | Unset):
        kind (PredictionJobListKind | Unset):
        page_size (int | Unset):  Default: 50.
        state (PredictionJobListState | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        PredictionJobPage | Problem
     """


    return sync_detailed(
        client=client,
cursor=cursor,
kind=kind,
page_size=page_size,
state=state,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    cursor: UUID | Unset = UNSET,
    kind: PredictionJobListKind | Unset = UNSET,
    page_size: int | Unset = 50,
    state: PredictionJobListState | Unset = UNSET,

) -> Response[PredictionJobPage | Problem]:
    """ The jobs of the key

     Return a page of jobs, the newest first.

    Args:
        cursor (UUID | Unset):
        kind (PredictionJobListKind | Unset):
        page_size (int | Unset):  Default: 50.
        state (PredictionJobListState | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[PredictionJobPage | Problem]
     """


    kwargs = _get_kwargs(
        cursor=cursor,
kind=kind,
page_size=page_size,
state=state,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    cursor: UUID | Unset = UNSET,
    kind: PredictionJobListKind | Unset = UNSET,
    page_size: int | Unset = 50,
    state: PredictionJobListState | Unset = UNSET,

) -> PredictionJobPage | Problem | None:
    """ The jobs of the key

     Return a page of jobs, the newest first.

    Args:
        cursor (UUID | Unset):
        kind (PredictionJobListKind | Unset):
        page_size (int | Unset):  Default: 50.
        state (PredictionJobListState | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        PredictionJobPage | Problem
     """


    return (await asyncio_detailed(
        client=client,
cursor=cursor,
kind=kind,
page_size=page_size,
state=state,

    )).parsed
