// The actions as buttons: what the scenario allows and nothing else. What became of each comes
// back as a mark; the button shows the latest.

import { by, make, write, both, storyInstant, instant, person, quoted } from "/dom.js";
import * as feed from "/feed.js";

const ARMED_MS = 5000;

// A button that asks once: it acts at the second press within 5 s.
export const asksOnce = (button, question, act) => {
  const label = button.querySelector(".label-text") || button;
  let usual = "";
  let timer = 0;
  const rest = () => {
    clearTimeout(timer);
    timer = 0;
    button.classList.remove("armed");
    label.textContent = usual;
  };
  button.addEventListener("click", () => {
    if (timer) { rest(); act(); return; }
    usual = label.textContent;
    label.textContent = question;
    button.classList.add("armed");
    timer = setTimeout(rest, ARMED_MS);
  });
};

const OUTCOMES = { started: "in progress", applied: "applied", rejected: "REFUSED", failed: "FAILED", declined: "not done" };

export class Actions {
  // `people` says who acts: `may()`, `ask()` where nobody has joined yet.
  constructor(plan, store, people) {
    this.plan = plan;
    this.store = store;
    this.people = people;
    this.offers = new Map(); // id -> { offer, button, status, sent, seen }
    asksOnce(by("stop"), "Press again: stop the run, undo everything", () => this.stop());
    by("hold").addEventListener("click", () => this.hold());
    this.offer(plan.offers);
  }

  offer(offers) {
    this.offers.clear();
    const timed = (offer) => offer.at_s != null || offer.after != null;
    const open = offers.filter((offer) => !offer.hidden);
    const groups = [
      ["Of the timeline, in its order", "Each happens by itself at its time, or when you press it.", open.filter(timed)],
      [open.some(timed) ? "Others that the scenario allows" : "What the scenario allows", this.plan.manual ? "They happen when you press them." : "", open.filter((offer) => !timed(offer))],
      ["Injects", "Only facilitators see these before they act.", offers.filter((offer) => offer.hidden)],
    ];
    by("offers").replaceChildren(...groups.filter(([, , group]) => group.length > 0).map(([title, about, group]) =>
      make("section", { className: "group" + (group[0].hidden ? " injects" : "") },
        make("h3", { textContent: title }), about ? make("p", { className: "soft", textContent: about }) : null,
        make("ul", { className: "offers" }, ...group.map((offer) => this.button(offer))))));
    if (offers.length === 0) by("offers").append(make("p", { className: "soft", textContent: "This run offers none." }));
    this.draw();
  }

  button(offer) {
    const label = make("span", { className: "label-text", textContent: quoted(offer.label) });
    const button = make("button", { type: "button", className: "offer" + (offer.dangerous ? " dangerous" : ""), data: { offer: offer.id } }, label);
    const status = make("span", { className: "status", role: "status", data: { status: offer.id } });
    const act = () => this.act(offer.id);
    const mayAsk = (next) => () => { if (this.people.joined()) next(); else this.people.ask(); };
    if (offer.dangerous) asksOnce(button, "Press again: " + quoted(offer.label), mayAsk(act));
    else button.addEventListener("click", mayAsk(act));
    const when = make("span", { textContent: offer.after ? " · planned after " + quoted(offer.after) : "" });
    this.offers.set(offer.id, { offer, button, status, when, sent: null, refused: "" });
    return make("li", { className: "offer-item" },
      make("div", { className: "offer-line" }, button, status),
      make("div", { className: "does", textContent: quoted(offer.does) }),
      make("div", { className: "soft", textContent: offer.undone_by ? "Undone by: " + quoted(offer.undone_by) : "Nothing undoes it" }, when),
      offer.say ? make("div", { className: "say", textContent: "Say: " + quoted(offer.say) }) : null);
  }

  async act(id) {
    const one = this.offers.get(id);
    one.sent = { seen: this.store.marks.length };
    one.refused = "";
    this.draw();
    one.refused = (await feed.post("/act", { offer: id })) || "";
    if (one.refused) { one.sent = null; one.refusedAt = this.store.marks.length; }
    this.draw();
  }

  async hold() {
    const state = this.store.current();
    const refused = await feed.post(state && state.held ? "/go-on" : "/hold");
    this.people.answer(refused ? "Refused: " + refused : "");
  }

  async stop() {
    const button = by("stop");
    this.stopping = "Stopping: undoing everything…";
    this.draw();
    const refused = await feed.stop(() => {
      this.stopping = "No answer yet: the stop is sent again…";
      this.draw();
    });
    if (refused) {
      this.stopping = null;
      write(button, "Stop and undo everything");
      this.people.answer("Not stopped: " + refused);
    }
    this.draw();
  }

  draw() {
    const live = this.plan.mode === "live" && !this.store.end;
    const state = this.store.current();
    const may = this.people.mayAct();
    const stop = by("stop");
    stop.hidden = this.plan.mode !== "live";
    stop.disabled = !live || !this.people.mayStop() || Boolean(this.stopping);
    stop.title = this.people.mayStop() ? "Ends the run and takes back whatever was changed." : "Observers only look.";
    if (this.stopping && live) write(stop, this.stopping);
    if (!live && this.plan.mode === "live") write(stop, "The run is over");
    const hold = by("hold");
    hold.hidden = !live || !this.people.facilitates();
    write(hold, state && state.held ? "Go on" : "Hold");
    write(by("acting"), !live ? "The run is over: what was done is in the log."
      : !may ? "You look on: responders and facilitators act."
        : this.people.joined() ? "" : "Join first: your name stands beside what you do.");
    const shown = new Map();
    this.store.marks.forEach((mark, place) => {
      if ((mark.mark === "action" || mark.mark === "declined") && mark.offer != null && this.store.shown(mark)) shown.set(mark.offer, [mark, place]);
    });
    const later = this.store.heldFor();
    for (const { offer, when } of this.offers.values()) {
      if (offer.at_s == null) continue;
      const at = offer.at_s + later;
      write(when, state && state.held ? " · planned, on hold" : " · planned at " + [storyInstant(this.plan, at), instant(at)].filter(Boolean).join(" · "));
    }
    for (const one of this.offers.values()) this.drawOne(one, shown.get(one.offer.id), live && may);
  }

  drawOne(one, latest, may) {
    const [mark, place] = latest || [];
    if (one.sent && mark && place >= one.sent.seen) one.sent = null;
    if (mark && one.refused && place >= (one.refusedAt || 0)) one.refused = "";
    const outcome = mark && (mark.mark === "declined" ? "declined" : mark.outcome);
    const bad = ["rejected", "failed", "declined"].includes(outcome);
    const pending = one.sent || outcome === "started";
    one.button.disabled = !may || Boolean(one.sent);
    one.status.className = "status" + (one.refused || bad ? " bad" : pending ? " pending" : mark ? " done" : "");
    let text = "";
    if (one.sent) text = "pending…";
    else if (one.refused) text = "refused: " + one.refused;
    else if (mark) {
      text = OUTCOMES[outcome] + " at " + both(this.plan, mark.t) + (mark.by ? " by " + person(mark.by) : "");
      if (mark.detail && bad) text += ": " + quoted(mark.detail);
    }
    write(one.status, text);
    one.status.dataset.outcome = one.sent ? "pending" : one.refused ? "declined" : outcome || "";
  }
}
