// A report that renews itself while work is under way; without a script there is a link.
"use strict";

const EVERY_MILLISECONDS = 2000;

async function renew() {
  const shown = document.querySelector("[data-renews]");
  if (!shown || !("underWay" in shown.dataset)) return;
  // Not under somebody's finger.
  if (!document.hidden && !shown.contains(document.activeElement)) {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (answer.ok) {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const fresh = page.querySelector("[data-renews]");
        if (fresh) shown.replaceWith(fresh);
      }
    } catch { /* The next try is soon. */ }
  }
  setTimeout(renew, EVERY_MILLISECONDS);
}
setTimeout(renew, EVERY_MILLISECONDS);
