from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.batch import Batch
from ...models.batch_answers import BatchAnswers
from ...models.predictions_batch_format import PredictionsBatchFormat
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    body: Batch,
    format_: PredictionsBatchFormat | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}


    

    params: dict[str, Any] = {}

    json_format_: str | Unset = UNSET
    if not isinstance(format_, Unset):
        json_format_ = format_.value

    params["format"] = json_format_


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/predictions/batch/",
        "params": params,
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> BatchAnswers | Problem | None:
    if response.status_code == 200:
        response_200 = BatchAnswers.from_dict(response.json())



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

    if response.status_code == 413:
        response_413 = Problem.from_dict(response.json())



        return response_413

    if response.status_code == 415:
        response_415 = Problem.from_dict(response.json())



        return response_415

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[BatchAnswers | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: Batch,
    format_: PredictionsBatchFormat | Unset = UNSET,

) -> Response[BatchAnswers | Problem]:
    """ Forecasts of many matches and pairings in one call

     Up to 10,000 items: ids of matches, or pairings of two teams. Each has a forecast or an error, in
    the order of the items; equal items have equal answers. A match has its latest forecast that was
    published before kick-off; a coming fixture without one, and a pairing, one that is made now and not
    stored. With `Accept: application/x-ndjson` each answer is on its own line.

    Args:
        format_ (PredictionsBatchFormat | Unset):
        body (Batch): What to forecast.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[BatchAnswers | Problem]
     """


    kwargs = _get_kwargs(
        body=body,
format_=format_,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    body: Batch,
    format_: PredictionsBatchFormat | Unset = UNSET,

) -> BatchAnswers | Problem | None:
    """ Forecasts of many matches and pairings in one call

     Up to 10,000 items: ids of matches, or pairings of two teams. Each has a forecast or an error, in
    the order of the items; equal items have equal answers. A match has its latest forecast that was
    published before kick-off; a coming fixture without one, and a pairing, one that is made now and not
    stored. With `Accept: application/x-ndjson` each answer is on its own line.

    Args:
        format_ (PredictionsBatchFormat | Unset):
        body (Batch): What to forecast.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        BatchAnswers | Problem
     """


    return sync_detailed(
        client=client,
body=body,
format_=format_,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: Batch,
    format_: PredictionsBatchFormat | Unset = UNSET,

) -> Response[BatchAnswers | Problem]:
    """ Forecasts of many matches and pairings in one call

     Up to 10,000 items: ids of matches, or pairings of two teams. Each has a forecast or an error, in
    the order of the items; equal items have equal answers. A match has its latest forecast that was
    published before kick-off; a coming fixture without one, and a pairing, one that is made now and not
    stored. With `Accept: application/x-ndjson` each answer is on its own line.

    Args:
        format_ (PredictionsBatchFormat | Unset):
        body (Batch): What to forecast.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[BatchAnswers | Problem]
     """


    kwargs = _get_kwargs(
        body=body,
format_=format_,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    body: Batch,
    format_: PredictionsBatchFormat | Unset = UNSET,

) -> BatchAnswers | Problem | None:
    """ Forecasts of many matches and pairings in one call

     Up to 10,000 items: ids of matches, or pairings of two teams. Each has a forecast or an error, in
    the order of the items; equal items have equal answers. A match has its latest forecast that was
    published before kick-off; a coming fixture without one, and a pairing, one that is made now and not
    stored. With `Accept: application/x-ndjson` each answer is on its own line.

    Args:
        format_ (PredictionsBatchFormat | Unset):
        body (Batch): What to forecast.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        BatchAnswers | Problem
     """


    return (await asyncio_detailed(
        client=client,
body=body,
format_=format_,

    )).parsed
