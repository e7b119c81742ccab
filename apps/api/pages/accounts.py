"""Accounts of readers, where the operator allows them: sign up, sign in, what the account keeps, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import login, logout, update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm, SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.http import urlsafe_base64_decode
from django.utils.translation import gettext, ngettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from apps.api import services
from apps.api.methods import View
from apps.api.pages.context import (
    CHOSEN_COOKIE,
    FOLLOW_COOKIE,
    followed_teams,
    page_context,
    render_page,
    set_choice,
    zone_names,
)
from apps.api.pages.forms import (
    LanguageField,
    LocalPathField,
    OwnChoicesForm,
    OwnKeyForm,
    ResetForm,
    SignUpForm,
    ZoneField,
    sends_mail,
)
from apps.api.pages.languages import LANGUAGE_COOKIE

STAYS: Final = 30 * 24 * 3600
"""Seconds for which a reader stays signed in."""

PASSWORD_COST: Final = 20
"""As how many requests one counts that has a password hashed, which takes long on purpose."""

NEW_COST: Final = 100
"""As how many requests one counts that makes an account or sends a mail."""

BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


def limited(cost: int) -> Callable[[Any], View]:
    """Count the forms of a page against the limit of their address; other pages have none."""

    def decorator(view: Any) -> View:
        def counted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if request.method == "POST":
                address = services.address_of(request.META) or "unknown"
                admission = services.admit(address, cost=cost, now=timezone.now())
                if not admission.allowed:
                    seconds = admission.reset_seconds
                    text = ngettext(
                        "Too many requests came from your address. Try again in {seconds} second.",
                        "Too many requests came from your address. Try again in {seconds} seconds.",
                        seconds,
                    ).format(seconds=seconds)
                    headers = admission.headers
                    return HttpResponse(text, status=429, content_type="text/plain; charset=utf-8", headers=headers)
            answer: HttpResponse = view(request, *args, **kwargs)
            return answer

        guarded: Any = require_http_methods(["GET", "HEAD", "POST"])(sensitive_post_parameters()(counted))
        guarded.methods = ("GET", "POST")
        return guarded

    return decorator


def reader_of(request: HttpRequest) -> User | None:
    """Return the reader who is signed in; None for a stranger, and for staff, who have no account here."""
    user = request.user
    return user if isinstance(user, User) and not user.is_staff and not user.is_superuser else None


def _page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    context |= {"sends_mail": sends_mail(), "reader": reader_of(request)}
    response = render_page(request, page_context(request), f"account/{template}.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


def _enter(request: HttpRequest, user: User, back: str) -> HttpResponse:
    """Sign a reader in, and bring together what the account and this browser keep."""
    login(request, user, backend=BACKEND)
    request.session.set_expiry(STAYS)
    chosen = ZoneField(required=False).clean(request.COOKIES.get(CHOSEN_COOKIE))
    profile = services.merge_into_profile(
        user=user,
        followed=followed_teams(request),
        zone=chosen.key if chosen else "",
        language=LanguageField().clean(request.COOKIES.get(LANGUAGE_COOKIE)),
        now=timezone.now(),
    )
    response = HttpResponseRedirect(back)
    set_choice(request, response, FOLLOW_COOKIE, ",".join(map(str, profile.followed_teams)))
    set_choice(request, response, CHOSEN_COOKIE, profile.zone)
    set_choice(request, response, LANGUAGE_COOKIE, profile.language)
    return response


@limited(PASSWORD_COST)
def sign_in(request: HttpRequest, form_class: type[AuthenticationForm]) -> HttpResponse:
    """Sign a reader in; `form_class` has the limits for wrong passwords."""
    form = form_class(request, data=request.POST if request.method == "POST" else None)
    if form.is_valid():
        user: Any = form.get_user()
        back = LocalPathField(required=False).clean(request.POST.get("next"))
        return _enter(request, user, back)
    return _page(request, "sign_in", form=form, next=request.POST.get("next") or request.GET.get("next", ""))


@limited(NEW_COST)
def sign_up(request: HttpRequest) -> HttpResponse:
    """Make the account of a reader, who is signed in at once."""
    form = SignUpForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and (user := form.created()):
        return _enter(request, user, "/account/")
    return _page(request, "sign_up", form=form)


@limited(1)
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, and take from this browser what the account keeps."""
    if request.method != "POST":
        return HttpResponseRedirect("/account/")
    was_reader = reader_of(request) is not None
    response = HttpResponseRedirect("/")
    if was_reader:
        logout(request)
        for cookie in (FOLLOW_COOKIE, CHOSEN_COOKIE, LANGUAGE_COOKIE):
            set_choice(request, response, cookie, "")
    return response


@limited(PASSWORD_COST)
def account(request: HttpRequest) -> HttpResponse:
    """Show what the account of a reader keeps; its forms change choices, keys and password, or delete it."""
    user, now = reader_of(request), timezone.now()
    if user is None:
        return HttpResponseRedirect("/account/sign-in/?next=/account/")
    sent = {request.POST.get("change", ""): request.POST} if request.method == "POST" else {}
    form = PasswordChangeForm(user, sent.get("password"))
    key_form, choices, confirm = OwnKeyForm(sent.get("key")), OwnChoicesForm(sent.get("choices")), sent.get("delete")
    token = too_many = ""
    response: HttpResponse = HttpResponseRedirect("/account/")
    if choices.is_valid():
        zone = choices.cleaned_data["zone"].key if choices.cleaned_data["zone"] else ""
        language = choices.cleaned_data["language"]
        services.store_choices(user=user, zone=zone, language=language, now=now)
        set_choice(request, response, CHOSEN_COOKIE, zone)
        set_choice(request, response, LANGUAGE_COOKIE, language)
        return response
    if "revoke" in sent:
        services.revoke_reader_key(user=user, prefix=request.POST.get("prefix", ""), now=now)
        return response
    if form.is_valid():
        update_session_auth_hash(request, form.save())
        return HttpResponseRedirect("/account/?changed=password")
    if confirm is not None and user.check_password(confirm.get("password", "")):
        services.delete_account(user=user, now=now)
        logout(request)
        return HttpResponseRedirect("/")
    if key_form.is_valid():
        try:
            token = services.create_reader_key(user=user, name=key_form.cleaned_data["name"], now=now).token
            key_form = OwnKeyForm()
        except services.TooManyKeysError:
            text = gettext("You have {keys} keys, which is the most. Revoke one first.")
            too_many = text.format(keys=services.MOST_KEYS)
    context = {
        "profile": services.reader_profile(user=user, now=now),
        "keys": services.keys_in_force(user),
        "token": token,
        "too_many": too_many,
        "key_form": key_form,
        "form": form,
        "is_wrong": confirm is not None,
        "is_changed": request.GET.get("changed") == "password",
        "zones": zone_names(),
    }
    return _page(request, "account", **context)


@limited(NEW_COST)
def reset_password(request: HttpRequest) -> HttpResponse:
    """Send a mail that leads to a new password; the answer is the same whether or not the address is known."""
    form = ResetForm(request.POST if request.method == "POST" and sends_mail() else None)
    if form.is_valid():
        site = urlsplit(settings.SPAI_WEB_URL)
        form.save(
            # Not the host of the request, which a stranger chooses.
            domain_override=site.netloc,
            use_https=site.scheme == "https",
            subject_template_name="account/reset_subject.txt",
            email_template_name="account/reset_mail.txt",
            request=request,
        )
        return _page(request, "reset_sent")
    return _page(request, "reset", form=form)


@limited(PASSWORD_COST)
def new_password(request: HttpRequest, user: str, token: str) -> HttpResponse:
    """Set a new password by the address of a mail, which works once and for three days."""
    found = _user_of(user)
    if found is None or not default_token_generator.check_token(found, token):
        raise Http404(gettext("This address was used before, or is too old. Ask for a new mail."))
    form = SetPasswordForm(found, request.POST if request.method == "POST" else None)
    if form.is_valid():
        form.save()
        return HttpResponseRedirect("/account/sign-in/")
    return _page(request, "new_password", form=form)


def _user_of(text: str) -> User | None:
    try:
        number = int(urlsafe_base64_decode(text).decode())
        return User.objects.filter(pk=number, is_staff=False, is_superuser=False, is_active=True).first()
    except (ValueError, OverflowError):
        return None
