// Copies the address of a link with data-copy, and says so in its text. Without this script the link can be opened.
"use strict";

document.addEventListener("click", async (event) => {
  const link = event.target.closest("a[data-copy]");
  if (!link || !navigator.clipboard) return;
  event.preventDefault();
  await navigator.clipboard.writeText(link.href);
  link.textContent = link.dataset.copy;
});
