"""Authentication by API keys, and the permission that their scopes give."""

from __future__ import annotations

from typing import Any, Final

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.api import services
from apps.api.models import ApiKey, ApiKeyScope

CHALLENGE: Final = 'Bearer realm="spai"'


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <key>`, or `X-API-Key: <key>` where a client cannot set the first.

    The request then carries the `ApiKey` as `request.auth`; there is no user.
    """

    def authenticate(self, request: Request) -> tuple[None, ApiKey] | None:
        """Return the key of a request; None when it carries none.

        Raises
        ------
        AuthenticationFailed
            When the key is malformed, unknown, expired or revoked.
        """
        header, token = _credentials(request)
        if header:
            scheme, _, token = header.partition(" ")
            if scheme.lower() != "bearer":
                raise AuthenticationFailed("Authorization must be written as: Authorization: Bearer <API key>.")
        elif not token:
            return None
        now = timezone.now()
        try:
            key = services.find_key(token.strip(), now=now)
        except services.KeyRefusedError as error:
            raise AuthenticationFailed(str(error)) from error
        services.record_use(key, now=now)
        return None, key

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401, which marks a key that was sent as invalid (RFC 6750)."""
        return f'{CHALLENGE}, error="invalid_token"' if any(_credentials(request)) else CHALLENGE


def _credentials(request: Request) -> tuple[str, str]:
    """Return `Authorization` and `X-API-Key`."""
    return request.META.get("HTTP_AUTHORIZATION", ""), request.META.get("HTTP_X_API_KEY", "")


class HasScope(BasePermission):
    """The key of a request has the scope that the view requires."""

    def __init__(self, scope: ApiKeyScope) -> None:
        self.scope = scope

    def __call__(self) -> HasScope:
        """Return itself, because DRF calls each permission class to make an instance."""
        return self

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Whether the request carries a key of the scope.

        Raises
        ------
        PermissionDenied
            When the key lacks the scope; the message names it.
        """
        if not isinstance(request.auth, ApiKey):
            return False
        if self.scope not in request.auth.scopes:
            raise PermissionDenied(
                f"The API key {request.auth.prefix} lacks the scope {self.scope.value!r}; it has "
                f"{', '.join(request.auth.scopes)}. Ask the operator for a key with that scope."
            )
        return True


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """Describes both headers in the OpenAPI schema, for "Authorize" of Swagger UI."""

    target_class = ApiKeyAuthentication
    name = ["apiKeyBearer", "apiKeyHeader"]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[Any]]]:
        """Require one of the two, not both."""
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, Any]]:
        """Return the two schemes, in the order of their names."""
        how = "An API key that the operator created in the admin or by `manage.py api_key create`."
        return [
            {"type": "http", "scheme": "bearer", "description": how},
            {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": how},
        ]
