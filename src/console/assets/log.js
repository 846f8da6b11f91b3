// Everything that happened, the newest first, and the latest of it in large letters.

import { by, make, write, both, person, quoted, words } from "/dom.js";

const KINDS = [
  ["all", "All", null], ["actions", "Actions", ["action", "undone", "elsewhere", "declined", "stop"]],
  ["alerts", "Alerts", ["alert", "warning", "died"]], ["findings", "Findings", ["finding", "state", "phase"]],
  ["notes", "Notes", ["note", "prediction"]], ["people", "People", ["joined", "held", "went_on", "declined", "stop"]],
];
// What the room should hear of.
const MOMENTS = new Set(["action", "alert", "finding", "declined", "stop", "held", "went_on", "died", "elsewhere", "undone"]);
// Those of which the label alone does not say what they are.
const NAMED = new Set(["alert", "died", "elsewhere", "undone"]);
const SORTS = {
  alert: "alert", declined: "refused", stop: "trouble", died: "trouble", warning: "trouble", finding: "recovery",
};
const NAMES = {
  went_on: "goes on", held: "on hold", stop: "stop and undo", declined: "REFUSED", elsewhere: "from elsewhere", undone: "undone",
};
const OUTCOMES = { started: "begins", applied: "applied", rejected: "REFUSED", failed: "FAILED", fired: "fired", cleared: "cleared" };

const refused = (mark) => mark.mark === "declined" || mark.outcome === "rejected";
const bad = (mark) => refused(mark) || mark.outcome === "failed" || mark.mark === "died";
const kind = (mark) => NAMES[mark.mark] || words(mark.mark);

const sort = (mark) => {
  if (mark.mark === "action") return refused(mark) ? "refused" : mark.outcome === "failed" ? "trouble" : "";
  if (mark.mark === "finding") return mark.sort || "recovery";
  return SORTS[mark.mark] || "";
};

// What there is to say besides what it is called.
const said = (mark) => (mark.mark === "joined" || mark.detail === mark.label ? "" : quoted(mark.detail));

export class Log {
  constructor(plan, store) {
    this.plan = plan;
    this.store = store;
    this.entries = []; // [mark, element]
    this.filter = "all";
    this.moment = null;
    for (const [name, label] of KINDS) {
      const button = make("button", { type: "button", textContent: label, data: { filter: name } });
      button.addEventListener("click", () => this.choose(name));
      by("filters").append(button);
    }
    this.choose("all");
  }

  choose(name) {
    this.filter = name;
    for (const button of by("filters").children) button.setAttribute("aria-pressed", String(button.dataset.filter === name));
    this.show();
  }

  show() {
    const kinds = KINDS.find(([name]) => name === this.filter)[2];
    for (const [mark, element] of this.entries) {
      element.hidden = !this.store.shown(mark) || (kinds !== null && !kinds.includes(mark.mark));
    }
  }

  draw() {
    const marks = this.store.marks;
    for (let place = this.entries.length; place < marks.length; place++) {
      const element = this.entry(marks[place]);
      this.entries.push([marks[place], element]);
      this.insert(element, marks[place].t);
    }
    this.show();
    const latest = marks.findLast((mark) => MOMENTS.has(mark.mark) && this.store.shown(mark));
    if (latest !== this.moment) {
      this.moment = latest;
      this.say(latest);
    }
  }

  // By its own instant: a finding is known later than it was.
  insert(element, t) {
    let before = by("entries").firstElementChild;
    while (before && Number(before.dataset.t) > t) before = before.nextElementSibling;
    element.dataset.t = t == null ? "" : t;
    by("entries").insertBefore(element, before);
  }

  entry(mark) {
    const outcome = OUTCOMES[mark.outcome] || "";
    const detail = [said(mark), mark.known > mark.t + 0.05 ? "known at " + both(this.plan, mark.known) : ""];
    return make("li", { className: "entry" + (bad(mark) ? " bad" : ""), data: { mark: mark.mark, outcome: mark.outcome || "", entry: mark.entry == null ? "" : mark.entry } },
      make("span", { className: "mark " + sort(mark), textContent: mark.number == null ? "" : String(mark.number), ariaHidden: "true" }),
      make("div", {},
        make("div", {},
          make("span", { className: "at", textContent: both(this.plan, mark.t) }), " ",
          make("span", { className: "kind", textContent: kind(mark) })),
        make("div", { className: "what" }, make("span", { textContent: mark.mark === "joined" && mark.by ? person(mark.by) : quoted(mark.label) }), " ",
          outcome ? make("b", { className: bad(mark) ? "bad" : "", textContent: outcome }) : null),
        mark.by && mark.mark !== "joined" ? make("div", { className: "who", textContent: person(mark.by) }) : null,
        ...detail.filter(Boolean).map((text) => make("div", { className: "detail", textContent: text }))));
  }

  // The latest event for the room. A refusal is one of its own.
  say(mark) {
    const box = by("moment");
    box.hidden = !mark;
    if (!mark) return;
    const outcome = mark.mark === "declined" ? "REFUSED" : OUTCOMES[mark.outcome] || "";
    box.className = "moment" + (bad(mark) ? " refused" : mark.mark === "alert" && mark.outcome !== "cleared" ? " alert" : "");
    const label = [NAMED.has(mark.mark) ? kind(mark) : "", quoted(mark.label)];
    box.replaceChildren(
      make("span", { className: "at", textContent: both(this.plan, mark.t) }), " ",
      bad(mark) && outcome ? make("strong", { className: "word", textContent: outcome }) : "", " ",
      make("b", { textContent: label.filter(Boolean).join(": ") + (outcome && !bad(mark) ? " " + outcome : "") }),
      mark.by ? " by " + person(mark.by) : "",
      said(mark) ? make("span", { className: "detail", textContent: " " + said(mark) }) : "");
  }
}

// How the run ended, which stays when the console is gone.
export const ended = (end) => {
  const box = by("end");
  box.hidden = !end;
  if (!end || box.firstChild) return;
  box.append(
    make("p", { className: "verdict" }, "The run ended: ",
      make("b", { textContent: words(end.cause), data: { testid: "end-cause" } }),
      end.verdict ? ". Incident: " : ".",
      end.verdict ? make("b", { textContent: words(end.verdict), data: { testid: "verdict" } }) : null),
    end.detail ? make("p", { textContent: quoted(end.detail) }) : null,
    end.report ? make("p", {}, "The report: ", make("code", { textContent: end.report, data: { testid: "report" } })) : null);
  write(document.querySelector("title"), "ended · " + document.title);
};
