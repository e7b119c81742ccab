"""The teams that a reader follows: in a cookie, without an account."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext

from apps.api import services
from apps.api.methods import with_own_form
from apps.api.pages.context import (
    FOLLOW_COOKIE,
    MOST_FOLLOWED,
    followed_teams,
    page_context,
    render_page,
    set_choice,
)
from apps.api.pages.forms import FollowForm, LeftForm
from apps.api.pages.languages import language_query
from apps.matches.models import Team


@with_own_form
def follow(request: HttpRequest) -> HttpResponse:
    """Show the teams that the reader follows; a form that the star sends adds or removes one."""
    if request.method == "POST":
        return _change(request)
    left, ids = LeftForm.parse(request)["left"], followed_teams(request)
    teams = Team.objects.select_related("region").in_bulk({*ids, left} - {None})
    page = page_context(request)
    query = f"?teams={','.join(map(str, ids))}{language_query(page.language, sign='&')}"
    context = {
        # A program that keeps calendars opens this scheme, and subscribes instead of copying once.
        "calendar_url": f"webcal://{urlsplit(settings.SPAI_WEB_URL).netloc}/follow/calendar.ics{query}",
        "feed_url": f"/follow/feed/{query}",
        "teams": [teams[each] for each in ids if each in teams],
        "left": teams.get(left) if left not in ids else None,
        "most": MOST_FOLLOWED,
    }
    return render_page(request, page, "pages/follow.html", context)


def _change(request: HttpRequest) -> HttpResponse:
    form = FollowForm(request.POST)
    wanted = form.cleaned_data["team"] if form.is_valid() else 0
    # A team that was merged into another one exists no more.
    known = set(Team.objects.filter(pk__in=[*followed_teams(request), wanted]).values_list("pk", flat=True))
    if wanted not in known:
        raise Http404(gettext("There is no such team."))
    ids = tuple(each for each in followed_teams(request) if each in known - {wanted})
    if form.cleaned_data["on"]:
        ids = (*ids, wanted)
    if len(ids) > MOST_FOLLOWED:
        # The page says how many there may be, and is where to remove one.
        return HttpResponseRedirect("/follow/")
    if settings.SPAI_ACCOUNTS and isinstance(request.user, User):
        services.store_followed_teams(user=request.user, followed=ids, now=timezone.now())
    response = HttpResponseRedirect(form.cleaned_data["next"])
    set_choice(request, response, FOLLOW_COOKIE, ",".join(map(str, ids)))
    return response
