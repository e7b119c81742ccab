// The zone of the device, which the server groups matches into days by. It is stored before anything is shown; where the
// page was made for another zone it is asked for once more. Without this script a link leads to the choice of a zone.
"use strict";

(() => {
  const { zone, zoneChosen } = document.documentElement.dataset;
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const stored = `zone_here=${here}`;
  const isStored = () => document.cookie.split("; ").includes(stored);
  // A zone that is stored and not shown is one that the server does not know: asking again would not end.
  if (!here || isStored()) return;
  document.cookie = `${stored}; path=/; max-age=31536000; samesite=lax`;
  if (zoneChosen === undefined && zone && zone !== here && isStored()) location.reload();
})();
