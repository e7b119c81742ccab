// What moves on a page: push, the reader's zone, and keys. Pages work without it.
"use strict";

(() => {
  const body = document.body;
  const news = document.getElementById("news");
  const say = (text) => { if (news) news.textContent = text; };

  // ── The reader's zone ────────────────────────────────────────────────────────────────────────────────────────────
  // The server groups days by the zone of the cookie. On a first visit, or after a journey, ask for the page anew.
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const cookie = (name) => document.cookie.split("; ").find((each) => each.startsWith(name + "="))?.slice(name.length + 1);
  const LIST = "[data-list], #match";
  const list = () => document.querySelector(LIST);

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime*='T']")) {
      if (!/^\d\d:\d\d$/.test(time.textContent.trim())) continue;
      const at = new Date(time.dateTime);
      time.textContent = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: here });
    }
  };

  if (!body.hasAttribute("data-zone-chosen") && body.dataset.zone && body.dataset.zone !== here) {
    const zone = document.getElementById("zone-name");
    if (zone) zone.textContent = here;
    document.cookie = `zone_here=${here}; path=/; max-age=31536000; samesite=lax`;
    if (cookie("zone_here") === here) {
      document.addEventListener("DOMContentLoaded", () => { const part = list(); if (part) htmx.trigger(part, "pull"); });
    } else {
      localise(document);
      document.addEventListener("htmx:afterSettle", (event) => localise(event.target));
    }
  }

  // ── A table that is wider than its card says so ──────────────────────────────────────────────────────────────────
  const measureTables = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      box.toggleAttribute("data-more", box.scrollWidth > box.clientWidth + 1);
    }
  };
  measureTables();
  addEventListener("resize", measureTables);
  document.addEventListener("htmx:afterSettle", measureTables);

  // ── Push: the fact arrives, the state is pulled ──────────────────────────────────────────────────────────────────
  const SOON = 250;
  const SETTLED = 100;
  const ROWS_AT_ONCE = 8;
  const PARTS = "[data-list], [data-match]";
  const address = body.dataset.push;
  let number = Number(body.dataset.number || 0);
  let attempt = 0;
  let waiting = new Set();
  let timer = null;
  // Matches that are told as updated once they are shown anew: alone, or with the whole list.
  const changed = new Map();

  const pullAll = () => { const part = list(); if (part) htmx.trigger(part, "pull"); };

  // A list that was asked for before a fact arrived must not overwrite what was pulled after it: wait for it.
  let listAsked = 0;
  document.addEventListener("htmx:beforeSend", (event) => {
    if (!event.detail.elt.matches(LIST)) return;
    listAsked += 1;
    event.detail.xhr.addEventListener("loadend", () => setTimeout(() => { listAsked -= 1; }, SETTLED));
  });

  const pull = () => {
    timer = null;
    if (document.hidden) return;
    if (listAsked) { timer = setTimeout(pull, SOON); return; }
    const ids = [...waiting];
    waiting = new Set();
    const shown = ids.filter((id) => document.querySelector(`[data-match="${id}"]`));
    const isWhole = ids.includes("*") || (shown.length > ROWS_AT_ONCE && list());
    for (const id of shown) changed.set(id, isWhole ? "list" : "row");
    if (isWhole) { pullAll(); return; }
    for (const id of shown) for (const part of document.querySelectorAll(`[data-match="${id}"]`)) htmx.trigger(part, "pull");
  };

  const later = (id) => {
    waiting.add(id);
    if (timer === null) timer = setTimeout(pull, SOON);
  };

  const told = (event) => {
    number = Math.max(number, event.number);
    const kind = event.topic.split(".")[0];
    if (["prediction", "match", "score"].includes(kind)) {
      later(event.key);
    } else {
      for (const part of document.querySelectorAll(`[data-topic~="${kind}"]`)) htmx.trigger(part, "pull");
      if (kind === "promotion" || (kind === "run" && document.getElementById("run"))) later("*");
    }
  };

  document.addEventListener("htmx:afterSettle", (event) => {
    const part = event.target;
    const rows = part.matches?.("[data-match]") ? [part] : [...part.querySelectorAll?.("[data-match]") ?? []];
    const fresh = rows.filter((row) => changed.delete(row.dataset.match));
    for (const row of fresh) {
      row.classList.add("fresh");
      row.addEventListener("animationend", () => row.classList.remove("fresh"), { once: true });
    }
    if (fresh.length === 1) {
      const names = [...fresh[0].querySelectorAll(".name")].slice(0, 2).map((name) => name.textContent.trim());
      say(`Updated: ${names.join(" – ")}`);
    } else if (fresh.length) {
      say(`${fresh.length} matches updated`);
    }
  });

  // ── Nothing that the reader holds is replaced: a selection, a field being filled in, an open choice ──────────────
  const knowsOpen = CSS.supports("selector(select:open)");
  const isHeld = (part) => {
    const selection = getSelection();
    if (selection && !selection.isCollapsed && selection.containsNode(part, true)) return true;
    const focused = document.activeElement;
    if (!part.contains(focused)) return false;
    return focused.matches("select") ? !knowsOpen || focused.matches(":open") : focused.matches("input, textarea");
  };
  // beforeSwap is sent to the target: only the request says who asked.
  const refreshesItself = ({ detail }) => detail.requestConfig.elt === detail.target && detail.target.matches(PARTS);
  const held = new Set();
  let released = null;

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (!refreshesItself(event) || !isHeld(event.detail.elt)) return;
    event.preventDefault();
    held.add(event.detail.elt);
    awaitRelease();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const part = event.detail.target;
    if (refreshesItself(event) && event.detail.shouldSwap && isHeld(part)) {
      event.detail.shouldSwap = false;
      held.add(part);
      awaitRelease();
    }
  });
  const awaitRelease = () => {
    if (released === null) released = setInterval(release, SOON);
  };
  const release = () => {
    for (const part of held) {
      if (part.isConnected && isHeld(part)) continue;
      held.delete(part);
      if (part.isConnected) htmx.trigger(part, "pull");
    }
    if (!held.size) { clearInterval(released); released = null; }
  };

  // What is opened or closed, scrolled sideways or has the focus stays so. htmx itself keeps the focus of what has an id.
  const FOCUSABLE = "a, button, summary, select, input, textarea";
  const likeIt = (element) => [...document.querySelectorAll(FOCUSABLE)].filter(
    (each) => each.tagName === element.tagName && each.getAttribute("href") === element.getAttribute("href"),
  );
  let kept = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const focused = document.activeElement;
    const isInside = event.detail.target.contains(focused) && !focused.id && focused.matches(FOCUSABLE);
    kept = {
      details: new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open])),
      scrolled: [...document.querySelectorAll(".scroll")].map((each) => each.scrollLeft),
      focused: isInside ? [focused, likeIt(focused).indexOf(focused)] : null,
    };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!kept) return;
    for (const [id, isOpen] of kept.details) document.getElementById(id)?.toggleAttribute("open", isOpen);
    const boxes = [...document.querySelectorAll(".scroll")];
    if (boxes.length === kept.scrolled.length) boxes.forEach((each, n) => { each.scrollLeft = kept.scrolled[n]; });
    if (kept.focused) likeIt(kept.focused[0])[kept.focused[1]]?.focus({ preventScroll: true });
    kept = null;
  });

  // ── An idle page asks whether it changed, more rarely each time that it did not, and not at all while hidden ─────
  const OFTEN = 5000;
  const USUAL = 60000;
  const SELDOM = 240000;
  const LATE = 2000;
  let etag = body.dataset.etag;
  let pause = null;
  let next = null;

  // The shortest and the longest pause. With push alone most parts need none.
  const pauses = () => {
    const part = list();
    const isPushed = body.dataset.live === "on";
    if (!part || (isPushed && !part.hasAttribute("data-refresh"))) return [Infinity, Infinity];
    if (part.dataset.refresh === "soon") return [isPushed ? USUAL : OFTEN, USUAL];
    return [USUAL, SELDOM];
  };
  const plan = (isChanged) => {
    clearTimeout(next);
    const [least, most] = pauses();
    pause = isChanged || pause === null ? least : Math.min(Math.max(2 * pause, least), most);
    if (!document.hidden && pause < Infinity) next = setTimeout(pullAll, pause);
  };

  document.addEventListener("htmx:configRequest", (event) => {
    if (etag && event.detail.elt.matches(LIST)) event.detail.headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.matches(LIST)) etag = event.detail.xhr.getResponseHeader("ETag");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    // htmx sends this event to the parent of a part that was replaced; who asked stands in the request.
    if (!event.detail.requestConfig.elt.matches(LIST)) return;
    if (event.detail.xhr.status === 304) for (const [id, how] of changed) if (how === "list") changed.delete(id);
    plan(event.detail.xhr.status === 200);
  });

  // A row says when it changes by the clock alone, such as at its kick-off.
  let turn = null;
  const done = new Set();
  const awaitTurn = () => {
    clearTimeout(turn);
    if (document.hidden) return;
    const due = [...document.querySelectorAll("[data-changes-at]")]
      .map((row) => [Date.parse(row.dataset.changesAt), row.dataset.match])
      .filter(([at, id]) => !done.has(`${id} ${at}`));
    if (!due.length) return;
    const first = Math.min(...due.map(([at]) => at));
    turn = setTimeout(() => {
      for (const [at, id] of due) if (at <= Date.now()) { done.add(`${id} ${at}`); later(id); }
      awaitTurn();
    }, Math.min(Math.max(first - Date.now(), 0) + LATE * (0.5 + Math.random()), 2 ** 31 - 1));
  };
  document.addEventListener("htmx:afterSettle", awaitTurn);
  document.addEventListener("visibilitychange", () => {
    awaitTurn();
    if (document.hidden) { clearTimeout(next); return; }
    waiting.clear();
    if (list()) pullAll();
    else for (const row of document.querySelectorAll("[data-match]")) htmx.trigger(row, "pull");
  });
  awaitTurn();

  const connect = () => {
    let socket;
    const without = () => {
      body.dataset.live = "off";
      plan(true);
    };
    try {
      socket = new WebSocket(address);
    } catch {
      without();
      return;
    }
    socket.addEventListener("message", (message) => {
      const said = JSON.parse(message.data);
      if (said.type === "hello") {
        attempt = 0;
        body.dataset.live = "on";
        plan(true);
        if (said.number > number) socket.send(JSON.stringify({ after: number }));
      } else if (said.type === "event") {
        told(said);
      } else if (said.type === "reset") {
        number = said.number;
        later("*");
      }
    });
    socket.addEventListener("close", () => {
      if (body.dataset.live !== "off") without();
      // Twice as long each time, at most a minute, and never all readers at once.
      const wait = Math.min(1000 * 2 ** attempt, 60000) * (0.5 + Math.random() / 2);
      attempt += 1;
      setTimeout(connect, wait);
    });
  };
  if (address && "WebSocket" in window && document.querySelector("[data-list], [data-match]")) connect();
  else plan(true);

  // ── Keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────
  const help = document.getElementById("help");
  document.querySelector("[data-help]")?.addEventListener("click", () => help.showModal());

  const move = (by) => {
    const rows = [...document.querySelectorAll("main a.fx, main .played a, main tbody a.row")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    const next = at < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(at + by, 0), rows.length - 1);
    rows[next].focus();
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const search = document.getElementById("search");
    const writes = event.target.matches("input, select, textarea");
    if (event.key === "Escape" && event.target === search) {
      document.getElementById("found").replaceChildren();
      search.blur();
      return;
    }
    if (event.target === search && event.key === "ArrowDown") {
      const first = document.querySelector("#found a");
      if (first) { first.focus(); event.preventDefault(); }
      return;
    }
    if (writes || help?.open) return;
    const found = event.target.closest?.("#found");
    if (found && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      const links = [...found.querySelectorAll("a")];
      (links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)] ?? search).focus();
      event.preventDefault();
      return;
    }
    const on_row = event.target.matches("main a.fx, main .played a, main tbody a.row");
    if (event.key === "/") { search?.focus(); search?.select(); event.preventDefault(); }
    else if (event.key === "?") help?.showModal();
    else if (event.key === "j" || (event.key === "ArrowDown" && on_row)) { move(1); event.preventDefault(); }
    else if (event.key === "k" || (event.key === "ArrowUp" && on_row)) { move(-1); event.preventDefault(); }
  });
  document.addEventListener("click", (event) => {
    const found = document.getElementById("found");
    if (found && !event.target.closest("form[role=search]")) found.replaceChildren();
  });
})();
