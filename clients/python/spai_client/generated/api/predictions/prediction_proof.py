from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.inclusion_proof import InclusionProof
from ...models.problem import Problem
from typing import cast



def _get_kwargs(
    prediction_id: int,

) -> dict[str, Any]:
    

    

    

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/predictions/{prediction_id}/proof/".format(prediction_id=quote(str(prediction_id), safe=""),),
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> InclusionProof | Problem | None:
    if response.status_code == 200:
        response_200 = InclusionProof.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[InclusionProof | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    prediction_id: int,
    *,
    client: AuthenticatedClient,

) -> Response[InclusionProof | Problem]:
    """ Proof that a forecast is in the ledger

     `clients/python/spai_client/verify.py` checks it with nothing but Python.

    Args:
        prediction_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[InclusionProof | Problem]
     """


    kwargs = _get_kwargs(
        prediction_id=prediction_id,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    prediction_id: int,
    *,
    client: AuthenticatedClient,

) -> InclusionProof | Problem | None:
    """ Proof that a forecast is in the ledger

     `clients/python/spai_client/verify.py` checks it with nothing but Python.

    Args:
        prediction_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        InclusionProof | Problem
     """


    return sync_detailed(
        prediction_id=prediction_id,
client=client,

    ).parsed

async def asyncio_detailed(
    prediction_id: int,
    *,
    client: AuthenticatedClient,

) -> Response[InclusionProof | Problem]:
    """ Proof that a forecast is in the ledger

     `clients/python/spai_client/verify.py` checks it with nothing but Python.

    Args:
        prediction_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[InclusionProof | Problem]
     """


    kwargs = _get_kwargs(
        prediction_id=prediction_id,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    prediction_id: int,
    *,
    client: AuthenticatedClient,

) -> InclusionProof | Problem | None:
    """ Proof that a forecast is in the ledger

     `clients/python/spai_client/verify.py` checks it with nothing but Python.

    Args:
        prediction_id (int):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        InclusionProof | Problem
     """


    return (await asyncio_detailed(
        prediction_id=prediction_id,
client=client,

    )).parsed
