// A page that comes back with the Back button is asked for anew: a secret is
// shown once.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// Shows the copy buttons where the browser can copy; without it, the text is
// selected as a whole by one click, as it is where the browser refuses.
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(text);
    }
  });
}

// On a phone the sections are scrolled to the one that is open.
for (const current of document.querySelectorAll(".sections [aria-current]")) {
  current.parentElement.scrollLeft = current.offsetLeft + current.offsetWidth - innerWidth + 40;
}
