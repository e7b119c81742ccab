"""How each action of the admin is carried out: for the test that looks for its entry of the audit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from axes.models import AccessAttempt
from celery import Task
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.api import services as api
from apps.api.models import Alert, ApiKey, Webhook
from apps.matches import services as matches
from apps.matches.models import (
    AuditEntry,
    AwardedResult,
    Correction,
    PointsAdjustment,
    RetentionPeriod,
    TeamAlias,
    TeamMerge,
    World,
)
from apps.ml import services as ml
from apps.ml.models import ModelVersion, PipelineRun, PolicyRevision, Promotion, ServedWorld
from apps.ml.pipeline import files
from apps.ml.services import champion, workspaces
from apps.scraping import services as scraping
from apps.scraping.models import Address, HostState, ScrapeRun, Snapshot, Source
from tests import bundles
from tests.factories import (
    CompetitionFactory,
    ContradictionFactory,
    FinishedMatchFactory,
    SeasonFactory,
    TeamAliasFactory,
    TeamFactory,
)
from tests.web.conftest import Builder

CASES: dict[str, Callable[[Any], Model]] = {}
"""How each action is carried out, by model and name; the function returns the row whose history must show it."""

NO_ACTION = {
    "matches.teamalias.merge_into": "leads to the page that confirms the merge; see merge",
    "ml.policyrevision.change_sandbox": "leads to the form; see change",
    "ml.policyrevision.change_real": "leads to the form; see change",
    "ml.modelversion.compare_side_by_side": "shows",
    "ml.pipelinerun.compare_side_by_side": "shows",
}


def case(name: str) -> Callable[[Callable[[Any], Model]], Callable[[Any], Model]]:
    """Declare how an action is carried out."""

    def declared(carry_out: Callable[[Any], Model]) -> Callable[[Any], Model]:
        CASES[name] = carry_out
        return carry_out

    return declared


class Room:
    """What the cases need: rows, and the operator's browser."""

    def __init__(self, browser: Any, monkeypatch: Any, settings: Any) -> None:
        self.browser, self.monkeypatch, self.settings = browser, monkeypatch, settings
        self.now = timezone.now().replace(microsecond=0)
        self.build = Builder(self.now)

    def do(self, model: type[Model], action: str, *row: Model, **form: Any) -> None:
        """Carry out an action of a row, or of a list where no row is given."""
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{action}", args=[r.pk for r in row])
        response = self.browser.post(address, {**form, "_form_submitted": "on"})
        assert "HX-Redirect" in response.headers, response.content.decode()[-3000:]

    def choose(self, row: Model, action: str, **form: Any) -> None:
        """Carry out an action on a chosen row of a list."""
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_changelist")
        form = {"action": action, "_selected_action": [row.pk], **form}
        assert self.browser.post(address, form).status_code == 302

    def save(self, row: Model, **form: Any) -> None:
        """Save the form of a row."""
        address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
        assert self.browser.post(address, form).status_code == 302


# ── Models ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@case("ml.modelversion.promote_version")
def _(room):
    version = room.build.version(1)
    room.monkeypatch.setattr(champion, "_check_bundle", lambda version: None)
    room.do(ModelVersion, "promote_version", version, reason="better", despite="on")
    return version


def challenger(room) -> ModelVersion:
    """Return a version that may take over from a champion."""
    present, version = room.build.version(1), room.build.version(2)
    room.build.promote(present)
    room.build.comparison(version, present)
    return version


@case("ml.modelversion.decline_version")
def _(room):
    version = challenger(room)
    room.do(ModelVersion, "decline_version", version, reason="its features are wrong for cups")
    return version


@case("ml.modelversion.reconsider_version")
def _(room):
    version = challenger(room)
    ModelVersion.objects.filter(pk=version.pk).update(declined_at=room.now)
    room.do(ModelVersion, "reconsider_version", version, reason="cups are gone")
    return version


@case("ml.modelversion.compare_again")
def _(room):
    present, version = room.build.version(1, bundle_sha256="8" * 64), room.build.version(2)
    room.build.promote(present)
    rules = workspaces.read_params()["compare"]
    key = files.json_sha256([[(each.bundle_sha256, None) for each in (version, present)], rules])
    room.build.comparison(version, present, key=key)
    room.do(ModelVersion, "compare_again", version)
    return version


def rolled_back(room, world: World) -> Model:
    versions = [room.build.version(number, world=world, profile="production") for number in (1, 2)]
    for version in versions:
        ml.promote(version=version, user=None, reason="first", now=room.now)
    room.monkeypatch.setattr(champion, "_check_bundle", lambda version: None)
    room.do(Promotion, f"roll_back_{world}", reason="worse", seen="")
    return versions[0]


@case("ml.promotion.roll_back_sandbox")
def _(room):
    return rolled_back(room, World.SANDBOX)


@case("ml.promotion.roll_back_real")
def _(room):
    return rolled_back(room, World.REAL)


@case("ml.modelversion.roll_back_to")
def _(room):
    versions = [room.build.version(number) for number in (1, 2, 3)]
    for version in versions:
        ml.promote(version=version, user=None, reason="first", now=room.now)
    room.monkeypatch.setattr(champion, "_check_bundle", lambda version: None)
    room.do(ModelVersion, "roll_back_to", versions[0], reason="worse", seen="")
    return versions[0]


@case("ml.servedworld.choose")
def _(room):
    room.do(ServedWorld, "choose", world="real")
    return ServedWorld.objects.get()


def with_history(room) -> None:
    split = workspaces.read_params()["split"] | {"least_rows": 1, "warm_up_days": 30}
    params = workspaces.read_params() | {"split": split}
    for place in (workspaces, ml):
        room.monkeypatch.setattr(place, "read_params", lambda: params)
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    for month in (3, 6, 8):
        FinishedMatchFactory(season=season, kickoff_at=datetime(2024, month, 9, 15, tzinfo=UTC))


@case("ml.pipelinerun.run_pipeline")
def _(room):
    with_history(room)
    for _click in range(2):
        room.do(PipelineRun, "run_pipeline", world="sandbox", profile="smoke", as_of_date="")
    return PipelineRun.objects.get()


@case("ml.pipelinerun.back_test_champion")
def _(room):
    with_history(room)
    version = room.build.version(1, bundle=bundles.with_manifest(workspaces.read_params()))
    room.build.promote(version)
    for _click in range(2):
        room.do(PipelineRun, "back_test_champion", world="sandbox")
    return PipelineRun.objects.get()


@case("ml.pipelinerun.run_again")
def _(room):
    with_history(room)
    earlier = room.build.run(status="succeeded", as_of=datetime(2024, 9, 1, tzinfo=UTC))
    form = {"world": "sandbox", "profile": "smoke", "as_of_date": "2024-09-01"}
    room.do(PipelineRun, "run_again", earlier, **form)
    return PipelineRun.objects.latest("pk")


@case("ml.pipelinerun.cancel_run")
def _(room):
    run = room.build.run(status="queued")
    for _click in range(2):
        room.do(PipelineRun, "cancel_run", run)
    return run


@case("ml.pipelinerun.describe_run")
def _(room):
    run = room.build.run(status="succeeded")
    room.do(PipelineRun, "describe_run", run, notes="after the transfer window", tags="summer")
    return run


@case("ml.pipelinerun.retry_run")
def _(room):
    lock = yaml.safe_dump({"stages": {name: {} for name in list(workspaces.read_stages())[:3]}})
    run = room.build.run(status="failed", dvc_lock=lock, finished_at=room.now)
    workspaces.folder_of(run).mkdir(parents=True, exist_ok=True)
    room.do(PipelineRun, "retry_run", run, stage=list(workspaces.read_stages())[2])
    return PipelineRun.objects.latest("pk")


@case("ml.policyrevision.change")
def _(room):
    address = reverse("admin:ml_policyrevision_add")
    form = room.browser.get(f"{address}?world=real").context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None}
    room.browser.post(address, values | {"promote__mode": "automatic", "reason": "it has proved itself"})
    return PolicyRevision.objects.get()


@case("api.alert.acknowledge")
def _(room):
    alert = Alert.objects.create(
        name="QueueLong",
        labels={},
        severity="warning",
        state="firing",
        summary="long",
        value=9,
        began_at=room.now,
        seen_at=room.now,
    )
    room.do(Alert, "acknowledge", alert, note="I look after it")
    return alert


@case("matches.retentionperiod.change")
def _(room):
    matches.ensure_periods()
    row = RetentionPeriod.objects.get(kind="logins")
    room.save(row, days=30, newest=0)
    return row


# ── Matches ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@case("matches.competition.change")
def _(room):
    row = CompetitionFactory()
    room.save(row, position=2)
    return row


@case("matches.match.correct")
def _(room):
    match = FinishedMatchFactory()
    room.do(type(match), "correct", match, home_goals=4, away_goals=4, status="finished", reason="seen")
    return match


@case("matches.match.record_awarded_result")
def _(room):
    match = FinishedMatchFactory()
    verdict = {"home_goals": 3, "away_goals": 0, "decided_on": "2024-03-05", "reason": "a ban", "source": "the league"}
    room.do(type(match), "record_awarded_result", match, **verdict)
    return match


@case("matches.contradiction.accept_contradiction")
def _(room):
    row = ContradictionFactory()
    room.do(type(row), "accept_contradiction", row, reason="seen")
    return row


@case("matches.correction.undo")
def _(room):
    match = FinishedMatchFactory()
    correction = matches.correct_result(
        match_id=match.pk, home_goals=4, away_goals=4, by="ann", reason="seen", now=room.now
    )
    room.do(Correction, "undo", correction, reason="not seen")
    return correction


def adjusted(room) -> dict[str, Any]:
    match = FinishedMatchFactory()
    season = match.season
    return {
        "competition": season.competition.slug,
        "season": season.label,
        "team": match.home_team.slug,
        "points": -6,
        "decided_on": "2024-03-05",
        "reason": "debts",
        "source": "the league",
    }


@case("matches.pointsadjustment.record")
def _(room):
    room.do(PointsAdjustment, "record", **adjusted(room))
    return PointsAdjustment.objects.get()


@case("matches.pointsadjustment.undo")
def _(room):
    room.do(PointsAdjustment, "record", **adjusted(room))
    row = PointsAdjustment.objects.get()
    room.do(PointsAdjustment, "undo", row, reason="an appeal")
    return row


@case("matches.awardedresult.undo")
def _(room):
    match = FinishedMatchFactory()
    verdict = matches.record_awarded_result(
        match_id=match.pk,
        home_goals=3,
        away_goals=0,
        decided_on=match.kickoff_at.date(),
        reason="a ban",
        source="the league",
        by="ann",
        now=room.now,
    )
    room.do(AwardedResult, "undo", verdict, reason="an appeal")
    return verdict


@case("matches.teamalias.confirm_as_new")
def _(room):
    alias = TeamAliasFactory()
    room.choose(alias, "confirm_as_new")
    return alias


@case("matches.teamalias.split_off")
def _(room):
    alias = TeamAliasFactory(name="Celtic FC", team__name="Celtic", found_by=TeamAlias.FoundBy.RESULTS)
    room.do(TeamAlias, "split_off", alias)
    return alias


def merged(room) -> TeamMerge:
    team, into = TeamFactory(), TeamFactory()
    address = reverse("admin:matches_team_merge", args=[team.pk, into.pk])
    assert room.browser.post(address, {"reason": "one club"}).status_code == 302
    return TeamMerge.objects.get()


@case("matches.team.merge")
def _(room):
    return merged(room).into


@case("matches.teammerge.undo")
def _(room):
    done = merged(room)
    room.do(TeamMerge, "undo", done, reason="two clubs")
    return done


# ── Programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def key(room, **more: Any) -> ApiKey:
    values = {"name": "feed", "created_by": "ann", "scopes": ["read", "jobs"], "now": room.now}
    return api.create_key(**(values | more)).row


@case("api.apikey.add")
def _(room):
    form = {"name": "Bob's programs", "scopes": ["read"], "expires_at_0": "", "expires_at_1": "", "source": ""}
    response = room.browser.post(reverse("admin:api_apikey_add"), form)
    made = ApiKey.objects.get()
    token = response.context["token"]
    assert not AuditEntry.objects.filter(after__contains=token[14:]).exists()
    return made


@case("api.apikey.revoke")
def _(room):
    made = key(room)
    room.do(ApiKey, "revoke", made)
    return made


@case("api.predictionjob.cancel")
def _(room):
    job = api.submit_job(api_key=key(room), kind="what_if_set", parameters={}, now=room.now).job
    room.do(type(job), "cancel", job)
    return job


@case("api.predictionjob.retry")
def _(room):
    job = api.submit_job(api_key=key(room), kind="what_if_set", parameters={}, now=room.now).job
    api.cancel_job(job=job, now=room.now)
    room.do(type(job), "retry", job)
    return job


def webhook(room) -> Webhook:
    room.settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    return api.create_webhook(api_key=key(room), url="http://127.0.0.1:9/", topics=["match.changed"], now=room.now)


@case("api.webhook.switch_off")
def _(room):
    hook = webhook(room)
    room.do(Webhook, "switch_off", hook)
    return hook


@case("api.webhook.switch_on")
def _(room):
    hook = webhook(room)
    Webhook.objects.update(is_active=False)
    room.do(Webhook, "switch_on", hook)
    return hook


@case("api.webhookdelivery.replay")
def _(room):
    delivery = api.ping(webhook=webhook(room), now=room.now)
    room.do(type(delivery), "replay", delivery)
    return delivery


# ── Scraping ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def source(room, name: str = "sandbox", **fields: Any) -> Source:
    scraping.ensure_sources(now=room.now)
    Source.objects.filter(name=name).update(**fields)
    return Source.objects.get(name=name)


@case("scraping.source.scrape_now")
def _(room):
    row = source(room)
    for _click in range(2):
        room.do(Source, "scrape_now", row, scope="results")
    return ScrapeRun.objects.get()


@case("scraping.source.back_fill")
def _(room):
    row = source(room)
    room.do(Source, "back_fill", row, start="2026-08-15", end="2026-10-03")
    return row


@case("scraping.source.reparse")
def _(room):
    row = source(room)
    Snapshot.objects.create(source=row, run_id=1, url="http://a/", fetched_at=room.now, status=200, size=1)
    room.do(Source, "reparse", row)
    return row


@case("scraping.source.switch_on")
def _(room):
    row = source(room, "openfootball")
    room.do(Source, "switch_on", row)
    return row


@case("scraping.source.switch_off")
def _(room):
    row = source(room, "sandbox")
    room.do(Source, "switch_off", row)
    return row


@case("scraping.source.confirm_permission")
def _(room):
    row = source(room, "whoscored")
    room.do(Source, "confirm_permission", row, note="a letter of 20 November")
    return row


@case("scraping.source.withdraw_permission")
def _(room):
    row = source(room, "whoscored", permission_confirmed_at=room.now, permission_note="a letter")
    room.do(Source, "withdraw_permission", row)
    return row


@case("scraping.source.resume_host")
def _(room):
    row = source(room, "whoscored", permission_confirmed_at=room.now)
    state = HostState.objects.create(
        host="www.whoscored.com", state="open", open_until=room.now + timedelta(hours=1), reason="403"
    )
    room.do(Source, "resume_host", row)
    return state


@case("scraping.source.change")
def _(room):
    row = source(room, "openfootball")
    room.save(row, base_url="", delay="00:00:09", competitions="[]")
    return row


@case("scraping.scraperun.cancel_run")
def _(room):
    run = scraping.request_run(source=source(room), scope="results", by="ann", now=room.now)
    room.do(ScrapeRun, "cancel_run", run)
    return run


@case("scraping.scraperun.accept_counts")
def _(room):
    row = source(room)
    Address.objects.create(source=row, url="http://a/", kind="results", snapshot_id=1, seen_at=room.now, doubts=[3])
    run = ScrapeRun.objects.create(
        source=row,
        window_start=room.now.date(),
        window_end=room.now.date(),
        requested_at=room.now,
        requested_by="ann",
        finished_at=room.now,
        outcome="invalid",
        pages=[{"url": "http://a/", "came": "invalid"}],
    )
    room.do(ScrapeRun, "accept_counts", run)
    return run


# ── Timetable, users, logins ─────────────────────────────────────────────────────────────────────────────────────────
def task(enabled: bool = True) -> PeriodicTask:
    every = IntervalSchedule.objects.create(every=5, period="minutes")
    return PeriodicTask.objects.create(name="mine", task="ml.settle_due", interval=every, enabled=enabled)


@case("django_celery_beat.periodictask.enable_tasks")
def _(room):
    row = task(enabled=False)
    room.choose(row, "enable_tasks")
    return row


@case("django_celery_beat.periodictask.disable_tasks")
def _(room):
    row = task()
    room.choose(row, "disable_tasks")
    return row


@case("django_celery_beat.periodictask.toggle_tasks")
def _(room):
    row = task()
    room.choose(row, "toggle_tasks")
    return row


@case("django_celery_beat.periodictask.run_tasks")
def _(room):
    room.monkeypatch.setattr(Task, "apply_async", lambda *given, **more: "id")
    row = task()
    room.choose(row, "run_tasks")
    return row


@case("django_celery_beat.periodictask.change")
def _(room):
    row = task()
    every = IntervalSchedule.objects.create(every=1, period="hours")
    form = {"name": "mine", "regtask": "", "task": "ml.settle_due", "enabled": "on", "interval": every.pk}
    room.save(row, **form, args="[]", kwargs="{}", headers="{}", start_time_0="", start_time_1="", expires_0="")
    return row


@case("auth.user.remove_second_factor")
def _(room):
    user = User.objects.create_user("bob", is_staff=True)
    TOTPDevice.objects.create(user=user, name="app")
    room.do(User, "remove_second_factor", user)
    return user


@case("auth.user.change")
def _(room):
    user, group = User.objects.create_user("bob"), Group.objects.create(name="watchers")
    form = {"username": "bob", "is_active": "on", "is_staff": "on", "groups": [group.pk]}
    room.save(user, **form, date_joined_0="2026-01-01", date_joined_1="00:00:00")
    return user


@case("auth.user.password")
def _(room):
    user = User.objects.create_user("bob")
    form = {"password1": "a-long-one-7", "password2": "a-long-one-7", "usable_password": "true", "set-password": "1"}
    assert room.browser.post(reverse("admin:auth_user_password_change", args=[user.pk]), form).status_code == 302
    return user


@case("auth.user.own_password")
def _(room):
    form = {"old_password": "password", "new_password1": "a-long-one-7", "new_password2": "a-long-one-7"}
    assert room.browser.post(reverse("admin:password_change"), form).status_code == 302
    return User.objects.get(username="admin")


@case("auth.user.add")
def _(room):
    form = {"username": "bob", "usable_password": "true", "password1": "a-long-one-7", "password2": "a-long-one-7"}
    assert room.browser.post(reverse("admin:auth_user_add"), form).status_code == 302
    return User.objects.get(username="bob")


@case("auth.group.change")
def _(room):
    group = Group.objects.create(name="watchers")
    room.save(group, name="watchers", permissions=[Permission.objects.get(codename="view_match").pk])
    return group


@case("auth.group.delete")
def _(room):
    group = Group.objects.create(name="watchers")
    kept = Group(pk=group.pk, name="watchers")
    assert room.browser.post(reverse("admin:auth_group_delete", args=[group.pk]), {"post": "yes"}).status_code == 302
    return kept


@case("axes.accessattempt.delete_selected")
def _(room):
    row = AccessAttempt.objects.create(username="bob", ip_address="192.0.2.1", user_agent="x", failures_since_start=5)
    kept = AccessAttempt(pk=row.pk)
    room.choose(row, "delete_selected", post="yes")
    return kept
