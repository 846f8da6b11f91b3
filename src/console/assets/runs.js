// All runs of a folder: open one, or hold two against each other. A report is made on
// request, at an address of its own that is good for a while.

import { by, make, words } from "/dom.js";
import { get, key } from "/feed.js";
import { trouble } from "/people.js";

const COLUMNS = ["", "Run", "Scenario", "Started", "Backend", "Verdict", "Goodput", "Errors", "Response p99", "Recovery", ""];
const BAD = new Set(["failed", "invalid", "incomplete", "damaged"]);

// Goes to a page that the console makes of runs: `run=NAME`, or `base=A&candidate=B`.
export const show = async (query) => {
  const { status, body } = await get("/shown?" + new URLSearchParams(query));
  // Only a path of this console is ever followed.
  if (status === 200 && /^\/shown\/[\w-]+$/.test(body.page)) location.assign(body.page);
  else trouble(body.error || "The report could not be made.");
};

// The page of one run: the name is in the query, the key stays in the fragment.
const address = (name) => "/?" + new URLSearchParams({ run: name }) + "#" + new URLSearchParams({ key });
const unit = (value, of) => (value == null ? "–" : Draw.figure(value) + of);
const recovery = (run) =>
  run.recovery_s == null && run.recovery_censored_after_s != null ? "> " + unit(run.recovery_censored_after_s, " s") : unit(run.recovery_s, " s");

export const list = ({ folder, runs }) => {
  const box = by("runs");
  const compare = make("button", { type: "button", className: "main", textContent: "Compare the two", disabled: true, data: { testid: "compare" } });
  const about = make("p", { className: "soft" });
  // In the order in which they were chosen: the first is the base.
  const chosen = [];
  const changed = () => {
    compare.disabled = chosen.length !== 2;
    about.textContent = chosen.length === 2 ? chosen[1] + ", held against " + chosen[0] : "Choose two runs to compare them: the first is the base.";
  };
  compare.addEventListener("click", () => show({ base: chosen[0], candidate: chosen[1] }));
  const row = (run) => {
    const name = run.directory;
    const readable = !run.problem;
    const check = make("input", { type: "checkbox", disabled: !readable, ariaLabel: "compare " + name, data: { compare: name } });
    check.addEventListener("change", () => {
      if (check.checked) chosen.push(name); else chosen.splice(chosen.indexOf(name), 1);
      // A third choice replaces the first.
      if (chosen.length > 2) {
        const first = chosen.shift();
        for (const other of box.querySelectorAll("input:checked")) if (other.dataset.compare === first) other.checked = false;
      }
      changed();
    });
    const report = make("button", { type: "button", textContent: "Report", disabled: !readable, data: { report: name } });
    report.addEventListener("click", () => show({ run: name }));
    return make("tr", { data: { run: name } },
      make("td", {}, check),
      make("th", { scope: "row" }, readable ? make("a", { href: address(name), textContent: name, data: { open: name } }) : name,
        run.problem ? make("div", { className: "detail", textContent: run.problem }) : null),
      make("td", { textContent: run.scenario || "–" }),
      make("td", { textContent: run.started_wall_ms == null ? "–" : new Date(run.started_wall_ms).toLocaleString() }),
      make("td", { textContent: run.backend ? words(run.backend) : "–" }),
      make("td", { className: BAD.has(run.verdict) ? "bad" : "", textContent: words(run.verdict || "–") }),
      make("td", { textContent: unit(run.goodput_per_s, " /s") }),
      make("td", { textContent: unit(run.error_share == null ? null : 100 * run.error_share, " %") }),
      make("td", { textContent: unit(run.response_p99_ms, " ms") }),
      make("td", { textContent: recovery(run) }),
      make("td", {}, report));
  };
  box.hidden = false;
  document.title = "Runs · threadbare";
  box.replaceChildren(
    make("h1", { textContent: "Runs" }),
    make("p", { className: "soft", textContent: (folder ? folder + ": " : "") + (runs.length === 0 ? "there is no run here." : "open one to play it back.") }),
    make("div", { className: "wide" }, make("table", {},
      make("thead", {}, make("tr", {}, ...COLUMNS.map((text) => make("th", { scope: "col", textContent: text })))),
      make("tbody", {}, ...runs.map(row)))),
    make("p", { className: "line" }, compare), about);
  changed();
};
