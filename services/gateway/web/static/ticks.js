// The number of ticks follows them at once; without a script the next page tells it.
"use strict";

const counts = [...document.querySelectorAll("[data-count]")];
const ticks = [...document.querySelectorAll("input[name=tick]")];
const format = new Intl.NumberFormat(`${document.documentElement.lang}-CA`);
const before = new Map(counts.map((one) => [one, Number(one.textContent.replace(/\D/g, ""))]));

function follow() {
  for (const one of counts) {
    const name = one.dataset.count;
    let number = before.get(one);
    for (const tick of ticks) {
      if (name !== "chosen" && name !== tick.dataset.reached) continue;
      number += Number(tick.checked) - Number(tick.defaultChecked);
    }
    one.textContent = format.format(number);
  }
}

for (const tick of ticks) tick.addEventListener("change", follow);
// A browser that comes back to the page may have kept the ticks.
follow();
