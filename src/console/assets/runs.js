// All runs of a directory: open one, or hold two against each other.

import { by, make, words } from "/dom.js";
import { get } from "/feed.js";
import { trouble } from "/people.js";

export const list = async () => {
  const box = by("runs");
  box.hidden = false;
  const { status, body } = await get("runs");
  if (status !== 200) { trouble("The list of runs could not be read: " + (body.error || "status " + status) + ".", true); return; }
  const runs = body.runs || [];
  const compare = make("button", { type: "button", className: "main", textContent: "Compare the two", disabled: true, data: { testid: "compare" } });
  const chosen = () => [...box.querySelectorAll("input[type=checkbox]:checked")].map((it) => it.value);
  const about = make("p", { className: "soft" });
  const changed = () => {
    const names = chosen();
    compare.disabled = names.length !== 2;
    about.textContent = names.length === 2 ? names.join(" and ") : "Choose two runs to compare them.";
  };
  compare.addEventListener("click", () => {
    const [a, b] = chosen().map(encodeURIComponent);
    const path = body.compare || "/compare";
    location.assign(path + (path.includes("?") ? "&" : "?") + "a=" + a + "&b=" + b);
  });
  const row = (run) => {
    const check = make("input", { type: "checkbox", value: run.name, ariaLabel: "compare " + run.name, data: { compare: run.name } });
    check.addEventListener("change", () => {
      // A third choice replaces the first.
      const others = [...box.querySelectorAll("input[type=checkbox]:checked")].filter((it) => it !== check);
      if (check.checked && others.length > 1) others[0].checked = false;
      changed();
    });
    return make("tr", { data: { run: run.name } },
      make("td", {}, check),
      make("th", { scope: "row" }, run.open ? make("a", { href: local(run.open), textContent: run.name, data: { open: run.name } }) : run.name),
      make("td", { textContent: run.scenario || "" }),
      make("td", { textContent: started(run.started) }),
      make("td", { textContent: run.verdict ? words(run.verdict) : "–" }),
      make("td", { className: run.valid === false ? "bad" : "", textContent: run.valid === false ? "INVALID" : run.valid ? "valid" : "–" }),
      make("td", {}, run.report ? make("a", { href: local(run.report), textContent: "report" }) : ""));
  };
  box.replaceChildren(
    make("h1", { textContent: "Runs" }),
    make("p", { className: "soft", textContent: runs.length === 0 ? "There is no run in this directory." : "Open one to play it back." }),
    make("div", { className: "wide" }, make("table", {},
      make("thead", {}, make("tr", {}, ...["", "Run", "Scenario", "Started", "Incident", "Measurement", ""].map((text) => make("th", { scope: "col", textContent: text })))),
      make("tbody", {}, ...runs.map(row)))),
    make("p", { className: "line" }, compare), about);
  changed();
};

// Only a path of this console is ever followed.
const local = (path) => (/^\/(?![/\\])/.test(path) ? path : "#");
const started = (when) => {
  const date = new Date(when);
  return when == null ? "–" : Number.isNaN(date.getTime()) ? String(when) : date.toLocaleString();
};
