"""The admin in a real browser: every field can be seen, light and dark, and nothing comes from another host."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.contrib.admin.sites import site as admin_site
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django_celery_beat.models import CrontabSchedule, PeriodicTask
from unfold.admin import ModelAdmin

from tests.e2e.conftest import FOREIGN
from tests.e2e.states import every_state
from tests.web.processes import TIMEOUT, strong_hash

pytestmark = [pytest.mark.e2e, pytest.mark.django_db(transaction=True)]

# Fields that cannot be distinguished from the background, or whose text cannot be read.
UNSEEN = """
() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colours) => {
    pen.clearRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const behind = (box) => {
    const colours = [];
    for (let each = box; each; each = each.parentElement) colours.unshift(getComputedStyle(each).backgroundColor);
    return ["white", ...colours];
  };
  const light = (rgb) => rgb.map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
  const contrast = (one, other) => {
    const [low, high] = [light(paint(one)), light(paint(other))].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const hasEdge = (box, around) => ["Top", "Right", "Bottom", "Left"].every((side) => {
    const style = getComputedStyle(box);
    if (parseFloat(style[`border${side}Width`]) === 0 || style[`border${side}Style`] === "none") return false;
    return contrast([...around, style[`border${side}Color`]], around) >= 1.15;
  });
  const unseen = [];
  for (const field of document.querySelectorAll("input, select, textarea")) {
    const isShown = field.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (field.type === "hidden" || !isShown) continue;
    const style = getComputedStyle(field), box = field.getBoundingClientRect();
    if (box.width < 2 || box.height < 2 || style.clip === "rect(0px, 0px, 0px, 0px)") continue;
    if (["checkbox", "radio"].includes(field.type) && style.appearance !== "none") continue;
    let isSeen = false;
    for (let each = field, n = 0; each && n < 3; each = each.parentElement, n++) {
      const around = behind(each.parentElement ?? document.body);
      isSeen ||= hasEdge(each, around) || contrast(behind(each), around) >= 1.15;
    }
    const isText = !["checkbox", "radio", "submit", "button", "range"].includes(field.type);
    const isRead = !isText || contrast([...behind(field), style.color], behind(field)) >= 4.5;
    if (!isSeen || !isRead) unseen.push(`${field.tagName} ${field.type} ${field.name}: ${isSeen ? "text" : "edge"}`);
  }
  return unseen;
}
"""


@pytest.fixture
def operator(build, browser, admin_url):
    """The pages of the admin's models with a row each, and a context of a browser that has signed in."""
    every_state(build)
    user = get_user_model().objects.create_superuser("ada", "ada@example.org")
    user.password = strong_hash("secret")
    user.save()
    Group.objects.create(name="operators")
    PeriodicTask.objects.create(name="nightly", task="ml.retrain_due", crontab=CrontabSchedule.objects.create())
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(TIMEOUT * 1000)
    page = context.new_page()
    page.goto(admin_url + "/admin/login/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "secret")
    page.click("button[type=submit]")
    page.wait_for_selector(".spai-panels")
    page.close()
    yield context, user
    context.close()


def addresses(user) -> list[str]:
    """Every list, and the form of the first row and of a new one of every model, and the pages for passwords."""
    found = ["/admin/", "/admin/second-factor/", "/admin/password_change/", f"/admin/auth/user/{user.pk}/password/"]
    for model, admin in admin_site._registry.items():
        path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        row = model._default_manager.order_by("pk").first()
        found += [path, path + "add/"] + ([f"{path}{quote(row.pk)}/change/"] if row else [])
        assert isinstance(admin, ModelAdmin), f"{model._meta.label} has a plain admin, whose fields cannot be seen"
    return found


def test_every_field_of_every_page_is_seen_in_light_and_dark(operator, admin_url):
    context, user = operator
    page = context.new_page()
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    unseen, foreign, fields = {}, {}, 0
    signed_out = page.context.browser.new_page()
    signed_out.goto(admin_url + "/admin/login/")
    for address in [*addresses(user), "/admin/login/"]:
        shown = signed_out if address == "/admin/login/" else page
        response = shown.goto(admin_url + address)
        if address.endswith("/add/") and response.status == 403:
            continue
        assert (response.status, urlsplit(shown.url).path) == (200, address)
        for scheme in ("light", "dark"):
            shown.evaluate("(isDark) => document.documentElement.classList.toggle('dark', isDark)", scheme == "dark")
            if found := shown.evaluate(UNSEEN):
                unseen[address, scheme] = found
        fields += shown.locator("input:visible, select:visible, textarea:visible").count()
        if found := shown.evaluate(FOREIGN):
            foreign[address] = found
    signed_out.close()
    assert fields > 50
    assert unseen == {}
    assert foreign == {}
    assert hosts - {urlsplit(admin_url).netloc, ""} == set()


def test_a_plain_field_of_any_form_is_seen(operator, admin_url):
    context, _ = operator
    page = context.new_page()
    page.goto(admin_url + "/admin/auth/group/add/")
    page.evaluate(
        """() => {
          const form = document.querySelector("[name=name]").form;
          for (const html of ["<input name=plain>", "<input type=password name=secret>", "<input type=date name=day>",
            "<select name=choice><option>one</select>", "<textarea name=text></textarea>"]) {
            form.insertAdjacentHTML("beforeend", html);
          }
        }"""
    )
    for is_dark in (False, True):
        page.evaluate("(isDark) => document.documentElement.classList.toggle('dark', isDark)", is_dark)
        assert page.evaluate(UNSEEN) == []
