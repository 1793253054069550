// Says of each redirect URL, while it is typed, what the server thinks of it. Without
// this the same is said when the form is sent.
for (const place of document.querySelectorAll("[data-checks]")) {
  const field = document.getElementById(place.dataset.checks);
  const kinds = document.querySelectorAll("[name=kind]");
  const answers = new Map();
  let turn = 0;
  let timer;

  const keyOf = (uri, isPublic) => isPublic + " " + uri;

  const ask = async (uri, isPublic) => {
    const key = keyOf(uri, isPublic);
    if (!answers.has(key)) {
      const query = new URLSearchParams({ uri, public: isPublic });
      const answer = await fetch("/settings/applications/check-redirect-uri?" + query);
      if (!answer.ok) throw new Error(answer.status);
      answers.set(key, await answer.json());
    }
    return answers.get(key);
  };

  const line = (className, text) => {
    const p = document.createElement("p");
    p.className = className;
    p.textContent = text;
    return p;
  };

  // Nothing below moves while somebody presses on it, or the press would meet something else.
  let pressed = false;
  let held;
  const show = (found) => {
    held = pressed ? found : undefined;
    if (pressed) return;
    place.replaceChildren(...found.flatMap(({ uri, problem, good, advice }) => [
      line("uri", uri),
      line(problem ? "problem" : good ? "good" : "waiting", problem || good || "…"),
      ...advice.map((text) => line("hint", text)),
    ]));
    place.hidden = found.length === 0;
  };
  const release = () => setTimeout(() => {
    pressed = false;
    if (held) show(held);
  });
  addEventListener("pointerdown", () => { pressed = true; });
  addEventListener("pointerup", release);
  addEventListener("pointercancel", release);

  const check = async (mine, uris, isPublic) => {
    let found;
    try {
      found = await Promise.all(uris.map((uri) => ask(uri, isPublic)));
    } catch {
      found = [];
    }
    if (mine !== turn) return;
    place.ariaBusy = "false";
    show(found);
  };

  const soon = () => {
    clearTimeout(timer);
    const chosen = document.querySelector("[name=kind]:checked");
    const isPublic = chosen ? chosen.value === "public" : place.dataset.public === "true";
    const uris = [...new Set(field.value.split(/\s+/).filter(Boolean))].slice(0, 20);
    timer = setTimeout(check, 250, ++turn, uris, isPublic);
    // The answers have their place while the hands are still on the keyboard.
    place.ariaBusy = "true";
    show(uris.map((uri) => answers.get(keyOf(uri, isPublic)) || { uri, advice: [] }));
  };
  field.addEventListener("input", soon);
  for (const kind of kinds) kind.addEventListener("change", soon);
}
