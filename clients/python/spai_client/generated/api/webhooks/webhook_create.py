from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.new_webhook import NewWebhook
from ...models.problem import Problem
from ...models.webhook_fields import WebhookFields
from typing import cast



def _get_kwargs(
    *,
    body: WebhookFields,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}


    

    

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/webhooks/",
    }

    _kwargs["json"] = body.to_dict()

    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> NewWebhook | Problem | None:
    if response.status_code == 201:
        response_201 = NewWebhook.from_dict(response.json())



        return response_201

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[NewWebhook | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: WebhookFields,

) -> Response[NewWebhook | Problem]:
    """ Create a webhook

     
    Each event that the webhook asks for is sent as a POST with a JSON body: `type` (the topic),
    `timestamp` and `data`. A
    response from 200 to 299 within 10 seconds accepts it; redirects are not followed. Anything else is
    tried again after 5
    seconds, 1, 5 and 30 minutes, 2, 8 and 24 hours; then the message is kept as dead, and can be
    replayed. A webhook that
    accepts nothing for three days is switched off (`disabled_reason`); `PATCH` with `is_active: true`
    switches it on again.

    Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, and its
    libraries verify them with
    the `secret`, which only the response to this request shows. `webhook-id` is the same for each
    attempt: a message may
    come twice, and not in the order of events. The address must be https and public.

    Args:
        body (WebhookFields): What a webhook sends, and where.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[NewWebhook | Problem]
     """


    kwargs = _get_kwargs(
        body=body,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    body: WebhookFields,

) -> NewWebhook | Problem | None:
    """ Create a webhook

     
    Each event that the webhook asks for is sent as a POST with a JSON body: `type` (the topic),
    `timestamp` and `data`. A
    response from 200 to 299 within 10 seconds accepts it; redirects are not followed. Anything else is
    tried again after 5
    seconds, 1, 5 and 30 minutes, 2, 8 and 24 hours; then the message is kept as dead, and can be
    replayed. A webhook that
    accepts nothing for three days is switched off (`disabled_reason`); `PATCH` with `is_active: true`
    switches it on again.

    Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, and its
    libraries verify them with
    the `secret`, which only the response to this request shows. `webhook-id` is the same for each
    attempt: a message may
    come twice, and not in the order of events. The address must be https and public.

    Args:
        body (WebhookFields): What a webhook sends, and where.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        NewWebhook | Problem
     """


    return sync_detailed(
        client=client,
body=body,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: WebhookFields,

) -> Response[NewWebhook | Problem]:
    """ Create a webhook

     
    Each event that the webhook asks for is sent as a POST with a JSON body: `type` (the topic),
    `timestamp` and `data`. A
    response from 200 to 299 within 10 seconds accepts it; redirects are not followed. Anything else is
    tried again after 5
    seconds, 1, 5 and 30 minutes, 2, 8 and 24 hours; then the message is kept as dead, and can be
    replayed. A webhook that
    accepts nothing for three days is switched off (`disabled_reason`); `PATCH` with `is_active: true`
    switches it on again.

    Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, and its
    libraries verify them with
    the `secret`, which only the response to this request shows. `webhook-id` is the same for each
    attempt: a message may
    come twice, and not in the order of events. The address must be https and public.

    Args:
        body (WebhookFields): What a webhook sends, and where.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[NewWebhook | Problem]
     """


    kwargs = _get_kwargs(
        body=body,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    body: WebhookFields,

) -> NewWebhook | Problem | None:
    """ Create a webhook

     
    Each event that the webhook asks for is sent as a POST with a JSON body: `type` (the topic),
    `timestamp` and `data`. A
    response from 200 to 299 within 10 seconds accepts it; redirects are not followed. Anything else is
    tried again after 5
    seconds, 1, 5 and 30 minutes, 2, 8 and 24 hours; then the message is kept as dead, and can be
    replayed. A webhook that
    accepts nothing for three days is switched off (`disabled_reason`); `PATCH` with `is_active: true`
    switches it on again.

    Requests are signed as [Standard Webhooks](https://www.standardwebhooks.com) has it, and its
    libraries verify them with
    the `secret`, which only the response to this request shows. `webhook-id` is the same for each
    attempt: a message may
    come twice, and not in the order of events. The address must be https and public.

    Args:
        body (WebhookFields): What a webhook sends, and where.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        NewWebhook | Problem
     """


    return (await asyncio_detailed(
        client=client,
body=body,

    )).parsed
