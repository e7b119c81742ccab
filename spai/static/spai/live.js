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
  const list = () => document.querySelector("[data-list], #match");

  const localise = (root) => {
    for (const time of root.querySelectorAll("time[datetime*='T']")) {
      if (!/^\d\d:\d\d$/.test(time.textContent.trim())) continue;
      const at = new Date(time.dateTime);
      time.textContent = at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: here });
    }
  };

  if (!body.hasAttribute("data-zone-chosen") && body.dataset.zone && body.dataset.zone !== here) {
    document.cookie = `zone_here=${here}; path=/; max-age=31536000; samesite=lax`;
    if (cookie("zone_here") === here) {
      document.addEventListener("DOMContentLoaded", () => { const part = list(); if (part) htmx.trigger(part, "pull"); });
    } else {
      localise(document);
      document.addEventListener("htmx:afterSettle", (event) => localise(event.target));
    }
  }

  // ── The day that is shown lies in the middle of the strip ────────────────────────────────────────────────────────
  const centre = () => {
    const day = document.querySelector(".days [aria-current]");
    if (day) day.parentElement.scrollLeft = day.offsetLeft - day.parentElement.offsetLeft - (day.parentElement.clientWidth - day.clientWidth) / 2;
  };
  centre();
  document.addEventListener("htmx:afterSettle", (event) => { if (event.target.matches?.("[data-list]")) centre(); });

  // ── Push: the fact arrives, the state is pulled ──────────────────────────────────────────────────────────────────
  const SOON = 250;
  const SETTLED = 100;
  const ROWS_AT_ONCE = 8;
  const POLL = 60000;
  const address = body.dataset.push;
  let number = Number(body.dataset.number || 0);
  let attempt = 0;
  let poll = null;
  let waiting = new Set();
  let timer = null;
  const changed = new Set();

  const pullAll = () => { const part = list(); if (part) htmx.trigger(part, "pull"); };

  // A list that was asked for before a fact arrived must not overwrite what was pulled after it: wait for it.
  let listAsked = 0;
  document.addEventListener("htmx:beforeSend", (event) => {
    if (!event.detail.elt.matches("[data-list], #match")) return;
    listAsked += 1;
    event.detail.xhr.addEventListener("loadend", () => setTimeout(() => { listAsked -= 1; }, SETTLED));
  });

  const pull = () => {
    timer = null;
    if (listAsked) { timer = setTimeout(pull, SOON); return; }
    const ids = [...waiting];
    waiting = new Set();
    const shown = ids.filter((id) => document.querySelector(`[data-match="${id}"]`));
    for (const id of shown) changed.add(id);
    if (ids.includes("*") || shown.length > ROWS_AT_ONCE) { pullAll(); return; }
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

  // What the reader has opened stays open, and nothing is replaced while a zone is being chosen.
  let opened = [];
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.matches("[data-list], #match") && document.querySelector(".zone[open]")) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", () => {
    opened = [...document.querySelectorAll("details[open][id]")].map((each) => each.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  });

  // A part with a rhythm of its own asks anew by itself.
  const pollOnce = () => { if (!list()?.getAttribute("hx-trigger").includes("every")) pullAll(); };
  const startPolling = () => { if (poll === null) poll = setInterval(pollOnce, POLL); };
  const stopPolling = () => { clearInterval(poll); poll = null; };

  const connect = () => {
    let socket;
    try {
      socket = new WebSocket(address);
    } catch {
      startPolling();
      return;
    }
    socket.addEventListener("message", (message) => {
      const said = JSON.parse(message.data);
      if (said.type === "hello") {
        attempt = 0;
        stopPolling();
        body.dataset.live = "on";
        if (said.number > number) socket.send(JSON.stringify({ after: number }));
      } else if (said.type === "event") {
        told(said);
      } else if (said.type === "reset") {
        number = said.number;
        later("*");
      }
    });
    socket.addEventListener("close", () => {
      body.dataset.live = "off";
      startPolling();
      // Twice as long each time, at most a minute, and never all readers at once.
      const wait = Math.min(1000 * 2 ** attempt, 60000) * (0.5 + Math.random() / 2);
      attempt += 1;
      setTimeout(connect, wait);
    });
  };
  if (address && "WebSocket" in window && document.querySelector("[data-list], [data-match]")) connect();

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
