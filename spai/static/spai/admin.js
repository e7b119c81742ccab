// Parts of admin pages that follow a run: keep open details open, and do not replace selected text.
"use strict";

document.addEventListener("htmx:beforeSwap", (event) => {
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(event.detail.target, true)) event.detail.shouldSwap = false;
  const opened = [...event.detail.target.querySelectorAll("details[open][id]")].map((each) => each.id);
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  }, { once: true });
});
