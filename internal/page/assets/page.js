// A page that comes back with the Back button is asked for anew: a secret is
// shown once.
addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// A form is sent once: by a second click the browser would drop the answer to the first, in
// which a secret may be, or the way back to an application. After a while it may be sent again.
const patience = 5000;
const sent = new WeakMap();
addEventListener("submit", (event) => {
  if (event.target.getAttribute("method") !== "post") return;
  if (event.timeStamp - sent.get(event.target) < patience) event.preventDefault();
  else sent.set(event.target, event.timeStamp);
});

// A form that comes back begins where it is wrong, and what was done is read out: a notice that
// is there from the start is not, unless it has the focus. Somebody may be faster than this script.
if (document.activeElement === document.body) document.querySelector("[aria-invalid], [data-wrong], .notice[role=status]")?.focus();

// Shows the copy buttons where the browser can copy; without it, the text is
// selected as a whole by one click, as it is where the browser refuses. A button that
// changes its name is silent: what it says is said to those who listen, too.
const said = document.createElement("p");
said.setAttribute("role", "status");
said.className = "heard";
document.querySelector("main")?.append(said);
for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy);
    said.textContent = "";
    try {
      await navigator.clipboard.writeText(text.textContent);
      button.textContent = said.textContent = button.dataset.copied;
    } catch {
      getSelection().selectAllChildren(text);
    }
  });
}

// On a phone the sections are scrolled to the one that is open.
for (const current of document.querySelectorAll(".sections [aria-current]")) {
  current.parentElement.scrollLeft = current.offsetLeft + current.offsetWidth - innerWidth + 40;
}
