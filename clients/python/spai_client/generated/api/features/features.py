from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.feature_list import FeatureList
from ...models.features_world import FeaturesWorld
from ...models.problem import Problem
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    family: str | Unset = UNSET,
    inputs: str | Unset = UNSET,
    scope: str | Unset = UNSET,
    side: str | Unset = UNSET,
    world: FeaturesWorld | Unset = UNSET,

) -> dict[str, Any]:
    

    

    params: dict[str, Any] = {}

    params["family"] = family

    params["inputs"] = inputs

    params["scope"] = scope

    params["side"] = side

    json_world: str | Unset = UNSET
    if not isinstance(world, Unset):
        json_world = world.value

    params["world"] = json_world


    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}


    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/api/v1/features/",
        "params": params,
    }


    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> FeatureList | Problem | None:
    if response.status_code == 200:
        response_200 = FeatureList.from_dict(response.json())



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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[FeatureList | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    family: str | Unset = UNSET,
    inputs: str | Unset = UNSET,
    scope: str | Unset = UNSET,
    side: str | Unset = UNSET,
    world: FeaturesWorld | Unset = UNSET,

) -> Response[FeatureList | Problem]:
    """ The features of the champion and what each means

     Return the features in the order of the columns.

    Args:
        family (str | Unset):
        inputs (str | Unset):
        scope (str | Unset):
        side (str | Unset):
        world (FeaturesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[FeatureList | Problem]
     """


    kwargs = _get_kwargs(
        family=family,
inputs=inputs,
scope=scope,
side=side,
world=world,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    family: str | Unset = UNSET,
    inputs: str | Unset = UNSET,
    scope: str | Unset = UNSET,
    side: str | Unset = UNSET,
    world: FeaturesWorld | Unset = UNSET,

) -> FeatureList | Problem | None:
    """ The features of the champion and what each means

     Return the features in the order of the columns.

    Args:
        family (str | Unset):
        inputs (str | Unset):
        scope (str | Unset):
        side (str | Unset):
        world (FeaturesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        FeatureList | Problem
     """


    return sync_detailed(
        client=client,
family=family,
inputs=inputs,
scope=scope,
side=side,
world=world,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    family: str | Unset = UNSET,
    inputs: str | Unset = UNSET,
    scope: str | Unset = UNSET,
    side: str | Unset = UNSET,
    world: FeaturesWorld | Unset = UNSET,

) -> Response[FeatureList | Problem]:
    """ The features of the champion and what each means

     Return the features in the order of the columns.

    Args:
        family (str | Unset):
        inputs (str | Unset):
        scope (str | Unset):
        side (str | Unset):
        world (FeaturesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[FeatureList | Problem]
     """


    kwargs = _get_kwargs(
        family=family,
inputs=inputs,
scope=scope,
side=side,
world=world,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    family: str | Unset = UNSET,
    inputs: str | Unset = UNSET,
    scope: str | Unset = UNSET,
    side: str | Unset = UNSET,
    world: FeaturesWorld | Unset = UNSET,

) -> FeatureList | Problem | None:
    """ The features of the champion and what each means

     Return the features in the order of the columns.

    Args:
        family (str | Unset):
        inputs (str | Unset):
        scope (str | Unset):
        side (str | Unset):
        world (FeaturesWorld | Unset):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        FeatureList | Problem
     """


    return (await asyncio_detailed(
        client=client,
family=family,
inputs=inputs,
scope=scope,
side=side,
world=world,

    )).parsed
