"""Authentication by API keys, and the permission that their scopes give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.http import HttpRequest
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.api import services
from apps.api.models import ApiKey, ApiKeyScope
from apps.api.throttle import Admission

if TYPE_CHECKING:
    # It imports this module, for the defaults of all views.
    from rest_framework.views import APIView

CHALLENGE: Final = 'Bearer realm="spai"'


ANONYMOUS_SCOPES: Final = frozenset({ApiKeyScope.READ, ApiKeyScope.PREDICT})
"""What a program may do without a key when `SPAI_ANONYMOUS_API` is set."""


KEY_NEEDED: Final = (
    "This needs an API key with the scope '{}', which the operator of this site gives. "
    "Send it as: Authorization: Bearer <API key>."
)


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`, or `X-API-Key: <key>` where a client cannot set the first.

    The request then carries the `ApiKey` as `request.auth`; there is no user. `AccessMiddleware` has read the key and
    refused an invalid one.
    """

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        """Return the key of a request; None when it carries none."""
        key = access_of(request._request).key
        return None if key is None else (None, key)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return CHALLENGE


@dataclass(slots=True)
class Access:
    """Who sent a request, and whether it was admitted."""

    key: ApiKey | None = None
    admission: Admission | None = None


def access_of(request: HttpRequest) -> Access:
    """Return the `Access` of a request, which `AccessMiddleware` fills in."""
    access: Access = request.META.setdefault("spai.access", Access())
    return access


def token_of(meta: Mapping[str, Any]) -> str:
    """Return the API key that a request carries, not yet checked; empty without one.

    Parameters
    ----------
    meta : mapping
        The environ of WSGI, or `HttpRequest.META`.

    Raises
    ------
    KeyRefusedError
        When `Authorization` is not in the form that is required, or empty.
    """
    header = meta.get("HTTP_AUTHORIZATION")
    if header is None:
        return str(meta.get("HTTP_X_API_KEY", "")).strip()
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise services.KeyRefusedError("Authorization must be written as: Authorization: Bearer <API key>.")
    return str(token.strip())


def key_of(meta: Mapping[str, Any], *, now: datetime) -> ApiKey | None:
    """Return the key of a request by its headers, from memory where it is there; None without one.

    Raises
    ------
    KeyRefusedError
        When the key is malformed, unknown, expired or revoked.
    """
    token = token_of(meta)
    if not token:
        return None
    return services.known_key(token, now=now) or services.read_key(token, now=now)


class HasScope(BasePermission):
    """A request has the scope that the view requires: by its key, or without one where anonymous requests may.

    A request with a key has the rights of that key and no others, so that a program does not depend on
    `SPAI_ANONYMOUS_API`.
    """

    def __init__(self, scope: ApiKeyScope) -> None:
        self.scope = scope

    def __call__(self) -> HasScope:
        """Return itself, because DRF calls each permission class to make an instance."""
        return self

    @property
    def allows_anonymous(self) -> bool:
        """Whether a request without a key has the scope."""
        return bool(settings.SPAI_ANONYMOUS_API) and self.scope in ANONYMOUS_SCOPES

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the request has the scope.

        Raises
        ------
        NotAuthenticated
            When the request needs a key.
        PermissionDenied
            When the key lacks the scope; the message names it.
        """
        key = request.auth
        if not isinstance(key, ApiKey):
            if self.allows_anonymous:
                return True
            raise NotAuthenticated(KEY_NEEDED.format(self.scope.value))
        if self.scope not in key.scopes:
            raise PermissionDenied(
                f"The API key {key.prefix} lacks the scope {self.scope.value!r}; it has "
                f"{', '.join(key.scopes)}. Ask the operator for a key with that scope."
            )
        return True


may_read = HasScope(ApiKeyScope.READ)
may_predict = HasScope(ApiKeyScope.PREDICT)


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Describes both headers in the OpenAPI schema, for "Authorize" of Swagger UI."""

    target_class = ApiKeyAuthentication
    name = ["apiKeyBearer", "apiKeyHeader"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Require one of the two, not both; or none where the view takes anonymous requests."""
        is_optional = any(
            isinstance(each, HasScope) and each.allows_anonymous for each in auto_schema.view.get_permissions()
        )
        return [{name: []} for name in self.name] + [{}] * is_optional

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """Return the two schemes, in the order of their names."""
        how = "An API key that the operator created in the admin or by `manage.py api_key create`."
        return [
            {"type": "http", "scheme": "bearer", "description": how},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": how},
        ]
