// A page that comes back with the Back button is asked for anew: a secret is
// shown once.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Shows the copy buttons where the browser can copy; without it, the text is
// selected as a whole by one click.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = button.dataset.copied;
  });
}

// On a phone the sections are scrolled to the one that is open.
for (const current of document.querySelectorAll(".sections [aria-current]")) {
  current.parentElement.scrollLeft = current.offsetLeft + current.offsetWidth - innerWidth + 40;
}
