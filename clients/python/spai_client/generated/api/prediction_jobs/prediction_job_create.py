from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote

import httpx

from ...client import AuthenticatedClient, Client
from ...types import Response, UNSET
from ... import errors

from ...models.graded_forecasts import GradedForecasts
from ...models.prediction_job import PredictionJob
from ...models.problem import Problem
from ...models.season_simulation import SeasonSimulation
from ...models.what_if_set import WhatIfSet
from ...types import UNSET, Unset
from typing import cast



def _get_kwargs(
    *,
    body: GradedForecasts | SeasonSimulation | WhatIfSet,
    idempotency_key: str | Unset = UNSET,

) -> dict[str, Any]:
    headers: dict[str, Any] = {}
    if not isinstance(idempotency_key, Unset):
        headers["Idempotency-Key"] = idempotency_key



    

    

    _kwargs: dict[str, Any] = {
        "method": "post",
        "url": "/api/v1/prediction-jobs/",
    }

    
    if isinstance(body, WhatIfSet):
        _kwargs["json"] = body.to_dict()
    elif isinstance(body, SeasonSimulation):
        _kwargs["json"] = body.to_dict()
    else:
        _kwargs["json"] = body.to_dict()


    headers["Content-Type"] = "application/json"

    _kwargs["headers"] = headers
    return _kwargs



def _parse_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> PredictionJob | Problem | None:
    if response.status_code == 202:
        response_202 = PredictionJob.from_dict(response.json())



        return response_202

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


def _build_response(*, client: AuthenticatedClient | Client, response: httpx.Response) -> Response[PredictionJob | Problem]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    body: GradedForecasts | SeasonSimulation | WhatIfSet,
    idempotency_key: str | Unset = UNSET,

) -> Response[PredictionJob | Problem]:
    """ Submit a prediction job

     
    The response is 202 with the address of the job in `Location`. Ask there after `Retry-After` seconds
    until `state` is
    neither `queued` nor `running`, or let a webhook with the topic `prediction_job.finished` tell you;
    then
    `links.result` has the result, for seven days.

    ```
    curl $SITE/api/v1/prediction-jobs/ -H "Authorization: Bearer $SPAI_KEY" -H "Idempotency-Key:
    $(uuidgen)" \\
      -H "Content-Type: application/json" -d '{"kind": "season_simulation", "competition": "england-
    premier-league",
      "locked": [{"home": "arsenal", "away": "chelsea", "home_goals": 2, "away_goals": 0}]}'
    ```

    **Kinds.** `what_if_set`: forecasts of up to 50,000 coming fixtures and pairings; NDJSON, a line for
    each item with its
    number from 0, a forecast or an error. `season_simulation`: 10,000 seasons; JSON.
    `graded_forecasts`: the forecasts that
    were published before the matches of a period, with results and scores; NDJSON. Lines of both have
    `weaknesses` and
    `intervals` as the forecast of one match has them. Nothing is forecast for matches that were played:
    a forecast that is
    made afterwards would not be one.

    **Idempotency.** An equal request with the same `Idempotency-Key` within 48 hours gets the same job,
    marked
    `Idempotency-Replayed: true`; another request with that key is refused. A key has at most 1,000
    unfinished jobs.

    Args:
        idempotency_key (str | Unset):
        body (GradedForecasts | SeasonSimulation | WhatIfSet):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[PredictionJob | Problem]
     """


    kwargs = _get_kwargs(
        body=body,
idempotency_key=idempotency_key,

    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)

def sync(
    *,
    client: AuthenticatedClient,
    body: GradedForecasts | SeasonSimulation | WhatIfSet,
    idempotency_key: str | Unset = UNSET,

) -> PredictionJob | Problem | None:
    """ Submit a prediction job

     
    The response is 202 with the address of the job in `Location`. Ask there after `Retry-After` seconds
    until `state` is
    neither `queued` nor `running`, or let a webhook with the topic `prediction_job.finished` tell you;
    then
    `links.result` has the result, for seven days.

    ```
    curl $SITE/api/v1/prediction-jobs/ -H "Authorization: Bearer $SPAI_KEY" -H "Idempotency-Key:
    $(uuidgen)" \\
      -H "Content-Type: application/json" -d '{"kind": "season_simulation", "competition": "england-
    premier-league",
      "locked": [{"home": "arsenal", "away": "chelsea", "home_goals": 2, "away_goals": 0}]}'
    ```

    **Kinds.** `what_if_set`: forecasts of up to 50,000 coming fixtures and pairings; NDJSON, a line for
    each item with its
    number from 0, a forecast or an error. `season_simulation`: 10,000 seasons; JSON.
    `graded_forecasts`: the forecasts that
    were published before the matches of a period, with results and scores; NDJSON. Lines of both have
    `weaknesses` and
    `intervals` as the forecast of one match has them. Nothing is forecast for matches that were played:
    a forecast that is
    made afterwards would not be one.

    **Idempotency.** An equal request with the same `Idempotency-Key` within 48 hours gets the same job,
    marked
    `Idempotency-Replayed: true`; another request with that key is refused. A key has at most 1,000
    unfinished jobs.

    Args:
        idempotency_key (str | Unset):
        body (GradedForecasts | SeasonSimulation | WhatIfSet):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        PredictionJob | Problem
     """


    return sync_detailed(
        client=client,
body=body,
idempotency_key=idempotency_key,

    ).parsed

async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    body: GradedForecasts | SeasonSimulation | WhatIfSet,
    idempotency_key: str | Unset = UNSET,

) -> Response[PredictionJob | Problem]:
    """ Submit a prediction job

     
    The response is 202 with the address of the job in `Location`. Ask there after `Retry-After` seconds
    until `state` is
    neither `queued` nor `running`, or let a webhook with the topic `prediction_job.finished` tell you;
    then
    `links.result` has the result, for seven days.

    ```
    curl $SITE/api/v1/prediction-jobs/ -H "Authorization: Bearer $SPAI_KEY" -H "Idempotency-Key:
    $(uuidgen)" \\
      -H "Content-Type: application/json" -d '{"kind": "season_simulation", "competition": "england-
    premier-league",
      "locked": [{"home": "arsenal", "away": "chelsea", "home_goals": 2, "away_goals": 0}]}'
    ```

    **Kinds.** `what_if_set`: forecasts of up to 50,000 coming fixtures and pairings; NDJSON, a line for
    each item with its
    number from 0, a forecast or an error. `season_simulation`: 10,000 seasons; JSON.
    `graded_forecasts`: the forecasts that
    were published before the matches of a period, with results and scores; NDJSON. Lines of both have
    `weaknesses` and
    `intervals` as the forecast of one match has them. Nothing is forecast for matches that were played:
    a forecast that is
    made afterwards would not be one.

    **Idempotency.** An equal request with the same `Idempotency-Key` within 48 hours gets the same job,
    marked
    `Idempotency-Replayed: true`; another request with that key is refused. A key has at most 1,000
    unfinished jobs.

    Args:
        idempotency_key (str | Unset):
        body (GradedForecasts | SeasonSimulation | WhatIfSet):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[PredictionJob | Problem]
     """


    kwargs = _get_kwargs(
        body=body,
idempotency_key=idempotency_key,

    )

    response = await client.get_async_httpx_client().request(
        **kwargs
    )

    return _build_response(client=client, response=response)

async def asyncio(
    *,
    client: AuthenticatedClient,
    body: GradedForecasts | SeasonSimulation | WhatIfSet,
    idempotency_key: str | Unset = UNSET,

) -> PredictionJob | Problem | None:
    """ Submit a prediction job

     
    The response is 202 with the address of the job in `Location`. Ask there after `Retry-After` seconds
    until `state` is
    neither `queued` nor `running`, or let a webhook with the topic `prediction_job.finished` tell you;
    then
    `links.result` has the result, for seven days.

    ```
    curl $SITE/api/v1/prediction-jobs/ -H "Authorization: Bearer $SPAI_KEY" -H "Idempotency-Key:
    $(uuidgen)" \\
      -H "Content-Type: application/json" -d '{"kind": "season_simulation", "competition": "england-
    premier-league",
      "locked": [{"home": "arsenal", "away": "chelsea", "home_goals": 2, "away_goals": 0}]}'
    ```

    **Kinds.** `what_if_set`: forecasts of up to 50,000 coming fixtures and pairings; NDJSON, a line for
    each item with its
    number from 0, a forecast or an error. `season_simulation`: 10,000 seasons; JSON.
    `graded_forecasts`: the forecasts that
    were published before the matches of a period, with results and scores; NDJSON. Lines of both have
    `weaknesses` and
    `intervals` as the forecast of one match has them. Nothing is forecast for matches that were played:
    a forecast that is
    made afterwards would not be one.

    **Idempotency.** An equal request with the same `Idempotency-Key` within 48 hours gets the same job,
    marked
    `Idempotency-Replayed: true`; another request with that key is refused. A key has at most 1,000
    unfinished jobs.

    Args:
        idempotency_key (str | Unset):
        body (GradedForecasts | SeasonSimulation | WhatIfSet):

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        PredictionJob | Problem
     """


    return (await asyncio_detailed(
        client=client,
body=body,
idempotency_key=idempotency_key,

    )).parsed
