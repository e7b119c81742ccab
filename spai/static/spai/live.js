// Live updates by push, the reader's time zone, and keyboard shortcuts. Pages work without this script.
"use strict";

(() => {
  const body = document.body;
  const news = document.getElementById("news");
  const announce = (text) => { if (news) news.textContent = text; };

  // What changed is summed up for screen readers: at once after a quiet time, else once in SUMMARY.
  const SUMMARY = 30000;
  const updated = new Set();
  let summed = -SUMMARY;
  let summary = null;
  const sumUp = () => {
    summary = null;
    summed = performance.now();
    announce(
      updated.size === 1
        ? news.dataset.updated.replace("{match}", () => [...updated][0])
        : news.dataset.manyUpdated.replace("{count}", updated.size),
    );
    updated.clear();
  };
  const announceUpdate = (names) => {
    for (const each of names) updated.add(each);
    summary ??= setTimeout(sumUp, Math.max(0, summed + SUMMARY - performance.now()));
  };

  const LIST = "[data-list], #match";
  const list = () => document.querySelector(LIST);

  // ── The reader's zone, where `zone.js` could not store it: at least the times are right ──────────────────────────
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime*='T']")) {
      if (!/^\d\d:\d\d$/.test(time.textContent.trim())) continue;
      const at = new Date(time.dateTime);
      time.textContent = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: here });
    }
    const zone = document.getElementById("zone-name");
    if (zone) zone.textContent = here.split("/").at(-1).replaceAll("_", " ");
  };
  const { zone: shown, zoneChosen } = document.documentElement.dataset;
  if (zoneChosen === undefined && shown && shown !== here) {
    localise(document);
    document.addEventListener("htmx:afterSettle", (event) => localise(event.target));
  }

  // ── Mark tables that have more columns on the right ──────────────────────────────────────────────────────────────
  const measureTable = (box) => {
    box.toggleAttribute("data-more", box.scrollWidth - box.clientWidth - box.scrollLeft > 1);
  };
  const measureTables = () => document.querySelectorAll(".scroll").forEach(measureTable);
  measureTables();
  document.addEventListener("scroll", ({ target }) => {
    if (target.matches?.(".scroll")) measureTable(target);
  }, { capture: true, passive: true });
  addEventListener("resize", measureTables);
  document.addEventListener("htmx:afterSettle", measureTables);
  document.addEventListener("toggle", measureTables, true);

  // ── Push: an event names what changed, and htmx fetches the new state ────────────────────────────────────────────
  const SOON = 250;
  const SETTLED = 100;
  const ROWS_AT_ONCE = 8;
  const MANY = 500;
  const PARTS = "[data-list], [data-match]";
  const address = body.dataset.push;
  let number = Number(body.dataset.number || 0);
  let attempt = 0;
  let waiting = new Set();
  let timer = null;
  // Matches to announce as updated when their new state is shown, by what was requested: their row, or the whole list.
  const changed = new Map();

  const pullAll = () => { const part = list(); if (part) htmx.trigger(part, "pull"); };

  // A response to a list request from before an event must not overwrite a row that was fetched after it: wait for it.
  let listRequests = 0;
  document.addEventListener("htmx:beforeSend", (event) => {
    if (!event.detail.elt.matches(LIST)) return;
    listRequests += 1;
    event.detail.xhr.addEventListener("loadend", () => setTimeout(() => { listRequests -= 1; }, SETTLED));
  });

  const pull = () => {
    timer = null;
    if (document.hidden) return;
    if (listRequests) { timer = setTimeout(pull, SOON); return; }
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

  const onEvent = (event) => {
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
    const names = (row) => [...row.querySelectorAll(".name")].slice(0, 2).map((name) => name.textContent.trim());
    if (fresh.length) announceUpdate(fresh.map((row) => names(row).join(" – ")));
    if (part.id === "found") {
      const count = part.querySelectorAll("a").length;
      announce(count ? news.dataset.found.replace("{count}", count) : part.textContent.trim());
    }
  });

  // ── Do not replace what the reader is using: selected text, a field with the focus, an open select ───────────────
  const supportsOpen = CSS.supports("selector(select:open)");
  const isHeld = (part) => {
    const selection = getSelection();
    if (selection && !selection.isCollapsed && selection.containsNode(part, true)) return true;
    const focused = document.activeElement;
    if (!part.contains(focused)) return false;
    return focused.matches("select") ? !supportsOpen || focused.matches(":open") : focused.matches("input, textarea");
  };
  // beforeSwap is sent to the target: only the request config names the element that made the request.
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

  // Restore open details, horizontal scroll positions and the focus. htmx itself restores the focus of elements with an id.
  const FOCUSABLE = "a, button, summary, select, input, textarea";
  const similar = (element) => [...document.querySelectorAll(FOCUSABLE)].filter(
    (each) => each.tagName === element.tagName && each.getAttribute("href") === element.getAttribute("href"),
  );
  let saved = null;
  document.addEventListener("htmx:beforeSwap", (event) => {
    const focused = document.activeElement;
    const isInside = event.detail.target.contains(focused) && !focused.id && focused.matches(FOCUSABLE);
    saved = {
      details: new Map([...document.querySelectorAll("details[id]")].map((each) => [each.id, each.open])),
      scrolled: [...document.querySelectorAll(".scroll")].map((each) => each.scrollLeft),
      focused: isInside ? [focused, similar(focused).indexOf(focused)] : null,
    };
  });
  document.addEventListener("htmx:afterSwap", () => {
    if (!saved) return;
    for (const [id, isOpen] of saved.details) document.getElementById(id)?.toggleAttribute("open", isOpen);
    const boxes = [...document.querySelectorAll(".scroll")];
    if (boxes.length === saved.scrolled.length) boxes.forEach((each, n) => { each.scrollLeft = saved.scrolled[n]; });
    if (saved.focused) similar(saved.focused[0])[saved.focused[1]]?.focus({ preventScroll: true });
    saved = null;
  });

  // ── Polling: less often each time that nothing changed, and not at all while the page is hidden ──────────────────
  const OFTEN = 5000;
  const USUAL = 60000;
  const SELDOM = 240000;
  const LATE = 2000;
  let etag = body.dataset.etag;
  let pause = null;
  let next = null;

  // The shortest and the longest pause. With push, most pages need no polling.
  const pauses = () => {
    const part = list();
    const isPushed = body.dataset.live === "on";
    if (!part || (isPushed && !part.hasAttribute("data-refresh"))) return [Infinity, Infinity];
    if (part.dataset.refresh === "soon") return [isPushed ? USUAL : OFTEN, USUAL];
    return [USUAL, SELDOM];
  };
  const schedulePoll = (isChanged) => {
    clearTimeout(next);
    const [least, most] = pauses();
    pause = isChanged || pause === null ? least : Math.min(Math.max(2 * pause, least), most);
    if (!document.hidden && pause < Infinity) next = setTimeout(pullAll, pause);
  };

  document.addEventListener("htmx:configRequest", (event) => {
    if (etag && event.detail.elt.matches(LIST)) event.detail.headers["If-None-Match"] = etag;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    // A step back in the history has no target.
    if (event.detail.target?.matches(LIST)) etag = event.detail.xhr.getResponseHeader("ETag");
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    // htmx sends this event to the parent of a part that was replaced; the request config names the element.
    if (!event.detail.requestConfig.elt.matches(LIST)) return;
    if (event.detail.xhr.status === 304) for (const [id, how] of changed) if (how === "list") changed.delete(id);
    schedulePoll(event.detail.xhr.status === 200);
  });

  // ── Rows that change with time alone, at kick-off for instance, name that moment ─────────────────────────────────
  let clock = null;
  const done = new Set();
  const awaitChange = () => {
    clearTimeout(clock);
    if (document.hidden) return;
    const due = [...document.querySelectorAll("[data-changes-at]")]
      .map((row) => [Date.parse(row.dataset.changesAt), row.dataset.match])
      .filter(([at, id]) => !done.has(`${id} ${at}`));
    if (!due.length) return;
    const first = Math.min(...due.map(([at]) => at));
    clock = setTimeout(() => {
      for (const [at, id] of due) if (at <= Date.now()) { done.add(`${id} ${at}`); later(id); }
      awaitChange();
    }, Math.min(Math.max(first - Date.now(), 0) + LATE * (0.5 + Math.random()), 2 ** 31 - 1));
  };
  document.addEventListener("htmx:afterSettle", awaitChange);
  document.addEventListener("visibilitychange", () => {
    awaitChange();
    if (document.hidden) { clearTimeout(next); return; }
    waiting.clear();
    if (list()) pullAll();
    else for (const row of document.querySelectorAll("[data-match]")) htmx.trigger(row, "pull");
  });
  awaitChange();

  const connect = () => {
    let socket;
    const onUnavailable = () => {
      body.dataset.live = "off";
      schedulePoll(true);
    };
    try {
      socket = new WebSocket(address);
    } catch {
      onUnavailable();
      return;
    }
    socket.addEventListener("message", (message) => {
      const content = JSON.parse(message.data);
      if (content.type === "hello") {
        attempt = 0;
        body.dataset.live = "on";
        schedulePoll(true);
        const missed = content.number - number;
        if (missed > 0 && missed <= MANY) {
          socket.send(JSON.stringify({ after: number }));
        } else if (missed) {
          // Too many to go through one by one, or the numbers began anew.
          number = content.number;
          later("*");
        }
      } else if (content.type === "event") {
        onEvent(content);
      } else if (content.type === "reset") {
        number = content.number;
        later("*");
      }
    });
    socket.addEventListener("close", () => {
      if (body.dataset.live !== "off") onUnavailable();
      // Exponential backoff up to a minute, with jitter so that not all readers reconnect at once.
      const wait = Math.min(1000 * 2 ** attempt, 60000) * (0.5 + Math.random() / 2);
      attempt += 1;
      setTimeout(connect, wait);
    });
  };
  if (address && "WebSocket" in window && document.querySelector("[data-list], [data-match]")) connect();
  else schedulePoll(true);

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
    const isTyping = event.target.matches("input, select, textarea");
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
    if (isTyping || help?.open) return;
    const found = event.target.closest?.("#found");
    if (found && ["ArrowDown", "ArrowUp"].includes(event.key)) {
      const links = [...found.querySelectorAll("a")];
      (links[links.indexOf(event.target) + (event.key === "ArrowDown" ? 1 : -1)] ?? search).focus();
      event.preventDefault();
      return;
    }
    const isOnRow = event.target.matches("main a.fx, main .played a, main tbody a.row");
    if (event.key === "/") { search?.focus(); search?.select(); event.preventDefault(); }
    else if (event.key === "?") help?.showModal();
    else if (event.key === "j" || (event.key === "ArrowDown" && isOnRow)) { move(1); event.preventDefault(); }
    else if (event.key === "k" || (event.key === "ArrowUp" && isOnRow)) { move(-1); event.preventDefault(); }
  });
  const menu = document.getElementById("more-menu");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu?.open) return;
    menu.open = false;
    document.getElementById("more-summary").focus();
  });
  document.addEventListener("click", (event) => {
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
    const found = document.getElementById("found");
    if (found && !event.target.closest("form[role=search]")) found.replaceChildren();
  });
})();
