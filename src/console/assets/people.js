// Who is in the room: joining, links for others, notes and predictions.

import { by, make, write, both, copy, quoted } from "/dom.js";
import * as feed from "/feed.js";

// From who only looks to who leads the game; a key allows its role and those before it.
const ROLES = [
  ["observer", "Looks on, takes notes and predicts."],
  ["responder", "Acts: presses the buttons."],
  ["facilitator", "Leads the game: injects, hold and go on."],
];
const rank = (role) => ROLES.findIndex(([name]) => name === role);

export class People {
  // `joinedNow()` is called when somebody has joined here.
  constructor(plan, store, joinedNow) {
    this.plan = plan;
    this.store = store;
    this.joinedNow = joinedNow;
    this.keyRole = plan.you.role;
    this.live = plan.mode === "live";
    if (feed.joined() && plan.you.joined === false) feed.leave();
    this.dialog();
    this.notes();
    this.predictions();
    this.links();
    if (this.live && !this.joined()) this.ask();
    this.me();
  }

  joined() { return this.live ? feed.joined() : null; }
  role() { return (this.joined() || { role: this.keyRole }).role; }
  mayAct() { return rank(this.role()) >= rank("responder"); }
  // Whoever has an acting link may stop the run, as whatever they joined.
  mayStop() { return rank(this.keyRole) >= rank("responder"); }
  facilitates() { return this.role() === "facilitator"; }
  answer(text) { write(by("note-answer"), text); if (text) trouble(text); }

  me() {
    const who = this.joined();
    write(by("me"), who ? who.name + ", " + who.role : this.live ? this.keyRole + ", not joined" : "");
    by("me").title = this.live ? "This link allows the role of " + this.keyRole + "." : "";
    by("join-open").hidden = !this.live || Boolean(who) || Boolean(this.store.end);
    by("note").disabled = !this.live || Boolean(this.store.end);
    document.querySelector("[data-testid=note-send]").disabled = by("note").disabled;
  }

  dialog() {
    const box = by("join");
    const roles = ROLES.filter(([name]) => rank(name) <= rank(this.keyRole)).reverse();
    by("join-role").replaceChildren(...roles.map(([name]) => make("option", { value: name, textContent: name })));
    const about = () => write(by("join-role-about"), (ROLES.find(([name]) => name === by("join-role").value) || ["", ""])[1]);
    by("join-role").addEventListener("change", about);
    about();
    by("join-open").addEventListener("click", () => this.ask());
    by("join-look").addEventListener("click", () => box.close());
    by("join-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const name = by("join-name").value.trim();
      if (!name) return;
      write(by("join-answer"), "");
      const refused = await feed.join(name, by("join-role").value);
      if (refused) { write(by("join-answer"), refused); return; }
      box.close();
      this.me();
      this.joinedNow();
    });
  }

  ask() {
    if (!by("join").open) by("join").showModal();
    by("join-name").focus();
  }

  notes() {
    const form = by("note-form");
    const field = by("note");
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); form.requestSubmit(); }
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = field.value.trim();
      if (!text) return;
      if (!this.joined()) { this.ask(); return; }
      const refused = await feed.post("/note", { text });
      write(by("note-answer"), refused ? "Not noted: " + refused : "Noted at " + both(this.plan, this.store.now()) + ".");
      by("note-answer").classList.toggle("bad", Boolean(refused));
      if (!refused) field.value = "";
    });
  }

  predictions() {
    const questions = this.plan.questions || [];
    by("predictions").hidden = questions.length === 0;
    by("predict-forms").replaceChildren(...questions.map((question) => {
      const field = make("input", { id: "predict-" + question.id, maxLength: 300, data: { predict: question.id } });
      const form = make("form", { className: "question", data: { question: question.id } },
        make("label", { htmlFor: field.id, textContent: question.text }),
        make("div", { className: "line" }, field, make("button", { type: "submit", textContent: "Predict", data: { predictSend: question.id } })));
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        const answer = field.value.trim();
        if (!answer) return;
        if (!this.joined()) { this.ask(); return; }
        const refused = await feed.post("/predict", { question: question.id, answer });
        write(by("predict-answer"), refused ? "Not taken: " + refused : "Taken down.");
        by("predict-answer").classList.toggle("bad", Boolean(refused));
        if (!refused) field.value = "";
      });
      return form;
    }));
  }

  links() {
    const links = Object.entries(this.plan.links || {});
    by("links").hidden = links.length === 0;
    by("link-list").replaceChildren(...links.map(([role, link]) => {
      const field = make("input", { value: link, readOnly: true, ariaLabel: "link: " + role, data: { link: role } });
      const button = make("button", { type: "button", textContent: "Copy", data: { copy: role } });
      button.addEventListener("click", () => copy(link, field, button));
      return make("div", { className: "link" }, make("span", { textContent: role }), field, button);
    }));
  }

  draw() {
    this.me();
    const shown = this.store.marks.filter((mark) => this.store.shown(mark));
    const room = new Map();
    for (const mark of shown) if (mark.mark === "joined" && mark.by) room.set(mark.by.name, mark.by);
    const names = [...room.values()].map((who) => who.name + ", " + who.role);
    const list = by("joined");
    if (list.dataset.names !== names.join("\n")) {
      list.dataset.names = names.join("\n");
      list.replaceChildren(...(names.length > 0 ? names : ["Nobody has joined."]).map((text) => make("li", { textContent: text })));
    }
    this.drawPredictions(shown.filter((mark) => mark.mark === "prediction"));
  }

  // The forms until the game begins, that is until something is done to the target.
  drawPredictions(marks) {
    const begun = this.store.marks.some((mark) => mark.mark === "action" || mark.mark === "elsewhere");
    // What was predicted gives way to what can be done.
    if (begun && by("predictions").nextElementSibling !== by("people")) by("people").before(by("predictions"));
    by("predict-forms").hidden = !this.live || begun || Boolean(this.store.end);
    const measured = (this.store.end && this.store.until >= this.store.end.t && this.store.end.measured) || null;
    const drawn = marks.length + (measured ? ".measured" : "");
    if (by("predicted").dataset.drawn === drawn) return;
    by("predicted").dataset.drawn = drawn;
    if (marks.length === 0 && !measured) { by("predicted").replaceChildren(make("p", { className: "soft", textContent: "Nobody has predicted anything." })); return; }
    by("predicted").replaceChildren(make("table", {},
      make("thead", {}, make("tr", {}, ...["Question", "Who", "Predicted"].map((text) => make("th", { scope: "col", textContent: text })))),
      make("tbody", {}, ...(this.plan.questions || []).flatMap((question) => {
        const own = marks.filter((mark) => mark.question === question.id || mark.label === question.text);
        const rows = own.map((mark) => [mark.by ? mark.by.name : "", mark.detail || ""]);
        if (measured && measured[question.id] != null) rows.push(["measured", measured[question.id], "measured"]);
        return rows.map(([who, answer, kind], place) => make("tr", { className: kind || "", data: { answer: question.id } },
          place === 0 ? make("th", { scope: "rowgroup", rowSpan: rows.length, textContent: question.text }) : null,
          make("td", { textContent: who }), make("td", { textContent: quoted(answer) })));
      }))));
  }
}

let hides = 0;
// A sentence over the page: what was not done, and why. It goes after a while.
export const trouble = (text, stays = false) => {
  const box = by("trouble");
  clearTimeout(hides);
  write(box, text);
  box.hidden = text === "";
  if (text && !stays) hides = setTimeout(() => { box.hidden = true; }, 8000);
};

