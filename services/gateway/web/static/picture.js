// Shows the picture that was just chosen, before it is sent; the form works without it.
"use strict";

for (const input of document.querySelectorAll("[data-picture]")) {
  const shown = document.getElementById(input.dataset.picture);
  const before = document.querySelectorAll("[data-picture-before]");
  input.addEventListener("change", () => {
    if (shown.src) URL.revokeObjectURL(shown.src);
    const file = input.files[0];
    if (file) shown.src = URL.createObjectURL(file);
    shown.hidden = !file;
    for (const one of before) one.hidden = Boolean(file);
  });
  // A file that is no picture shows nothing here; the answer to the form says what is wrong.
  shown.addEventListener("error", () => { shown.hidden = true; });
}
