// Says of each redirect URL, while it is typed, what the server thinks of it. Without
// this the same is said when the form is sent.
for (const place of document.querySelectorAll("[data-checks]")) {
  const field = document.getElementById(place.dataset.checks);
  const kinds = document.querySelectorAll("[name=kind]");
  const answers = new Map();
  let turn = 0;
  let timer;

  const ask = async (uri, isPublic) => {
    const key = isPublic + " " + uri;
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

  const check = async () => {
    const mine = ++turn;
    const chosen = document.querySelector("[name=kind]:checked");
    const isPublic = chosen ? chosen.value === "public" : place.dataset.public === "true";
    const uris = [...new Set(field.value.split(/\s+/).filter(Boolean))].slice(0, 20);
    let found;
    try {
      found = await Promise.all(uris.map((uri) => ask(uri, isPublic)));
    } catch {
      found = [];
    }
    if (mine !== turn) return;
    place.replaceChildren(...found.flatMap(({ uri, problem, good, advice }) => [
      line("uri", uri),
      line(problem ? "problem" : "good", problem || good),
      ...advice.map((text) => line("hint", text)),
    ]));
    place.hidden = found.length === 0;
  };

  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(check, 250);
  };
  field.addEventListener("input", soon);
  for (const kind of kinds) kind.addEventListener("change", soon);
}
