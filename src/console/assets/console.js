// The page of a game day: reads the plan, follows the feed, and draws what changed. All that it
// shows was sent; it measures nothing itself, and a slow page holds up nobody.

import { by, make, write, span, storySpan, storyInstant, instant } from "/dom.js";
import * as feed from "/feed.js";
import { Store } from "/store.js";
import { Charts, figures } from "/charts.js";
import { Log, ended } from "/log.js";
import { Actions } from "/actions.js";
import { People, trouble } from "/people.js";
import { Playback } from "/playback.js";
import { list, show } from "/runs.js";

// Charts are drawn at most so often; the clock runs more smoothly.
const DRAW_MS = 400;
const CLOCK_MS = 200;
// For each part of the time that is spent drawing, so many are left to the rest.
const SHARE = 6;
const AGAIN_MS = 2000;

const SORTS = {
  normal: "good", recovered: "good", degraded: "warn", recovering: "warn", down: "bad",
};
const CONNECTIONS = {
  connecting: "connecting…", live: "live", reconnecting: "reconnecting…", over: "run over", refused: "key refused",
};
const CLOCKS = [
  ["detect", "to detect", "detected_s"], ["mitigate", "to mitigate", "mitigated_s"], ["recover", "to recover", "recovered_s"],
];

const scheme = () => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("threadbare:scheme"); } catch { return null; } };
  let chosen = stored();
  const set = () => {
    const now = chosen || (dark.matches ? "dark" : "light");
    document.documentElement.dataset.scheme = now;
    write(by("scheme"), now === "dark" ? "Light" : "Dark");
    by("scheme").title = "Switch to " + (now === "dark" ? "light" : "dark") + " colours";
  };
  const renew = () => { set(); dispatchEvent(new Event("threadbare-look")); };
  by("scheme").addEventListener("click", () => {
    chosen = document.documentElement.dataset.scheme === "dark" ? "light" : "dark";
    try { localStorage.setItem("threadbare:scheme", chosen); } catch { /* for this page only */ }
    renew();
  });
  dark.addEventListener("change", renew);
  set();
};

const connection = (name) => {
  by("connection").dataset.state = name;
  write(by("connection"), CONNECTIONS[name]);
};

class Page {
  constructor(plan) {
    this.plan = plan;
    this.store = new Store();
    this.dirty = true;
    this.rest = 0;
    const changed = () => { this.dirty = true; };
    by("bar").hidden = by("run").hidden = by("jumps").hidden = false;
    write(by("title"), plan.title || plan.scenario);
    write(by("scenario"), [plan.scenario, plan.mode === "finished" ? "played back" : plan.manual ? "people decide" : ""].filter(Boolean).join(" · "));
    by("title").title = plan.claim || "";
    document.title = (plan.title || plan.scenario) + " · threadbare";
    by("clocks").replaceChildren(...CLOCKS.map(([id, label]) => tile("time-to-" + id, label)), tile("now", "now"), tile("left", "time left"));
    this.people = new People(plan, this.store, () => this.joined());
    this.actions = new Actions(plan, this.store, this.people);
    this.log = new Log(plan, this.store);
    this.charts = new Charts(plan, this.store, changed);
    this.playback = plan.mode === "finished" ? new Playback(plan, this.store, changed) : null;
    if (this.playback) {
      for (const id of ["actions", "notes", "links"]) by(id).hidden = true;
      by("report").hidden = false;
      by("report").addEventListener("click", () => show(feed.run ? { run: feed.run } : {}));
    }
    for (const button of document.querySelectorAll("[data-jump]")) {
      button.hidden = by(button.dataset.jump).hidden;
      button.addEventListener("click", () => { by(button.dataset.jump).scrollIntoView(); by(button.dataset.jump).focus({ preventScroll: true }); });
    }
    let narrow = Draw.narrow();
    addEventListener("threadbare-look", () => this.charts.renew());
    addEventListener("resize", () => { if (Draw.narrow() !== narrow) { narrow = Draw.narrow(); this.charts.renew(); } });
    setInterval(() => this.draw(), DRAW_MS);
    setInterval(() => this.clock(), CLOCK_MS);
    document.addEventListener("visibilitychange", () => this.draw());
  }

  // What is offered depends on who asks.
  async joined() {
    const { status, body } = await feed.plan();
    if (status === 200 && body.offers) this.actions.offer(body.offers);
    this.dirty = true;
  }

  async follow() {
    await feed.follow({
      message: (message) => { this.store.take(message); this.dirty = true; },
      state: (name) => {
        connection(this.playback && name === "over" ? "over" : name);
        if (this.playback && name === "over") { write(by("connection"), "played back"); this.playback.ready(); }
        if (name === "refused") trouble("The console refuses this key: the link belongs to another run.", true);
      },
    });
  }

  draw() {
    const began = performance.now();
    if (!this.dirty || document.hidden || began < this.rest) return;
    this.dirty = false;
    const state = this.store.current();
    const word = state ? state.state : "waiting";
    write(by("state"), word);
    by("state").style.setProperty("--letters", word.length);
    by("state").dataset.sort = SORTS[word] || "";
    by("held").hidden = !(state && state.held);
    ended(this.store.until === Infinity ? this.store.end : null);
    figures(this.plan, this.store);
    this.log.draw();
    this.actions.draw();
    this.people.draw();
    this.charts.draw();
    this.clock();
    // A slow machine draws more rarely, and stays quick to press.
    this.rest = began + SHARE * (performance.now() - began);
  }

  clock() {
    if (document.hidden) return;
    const state = this.store.current();
    const now = this.store.now();
    const clock = (state && state.clock) || {};
    const over = state && state.state === "ended";
    for (const [id, , name] of CLOCKS) {
      const began = clock.began_s;
      const until = clock[name];
      const seconds = began == null ? null : until != null ? until - began : now - began;
      const counting = began != null && until == null;
      const story = storySpan(this.plan, seconds);
      this.tile("time-to-" + id, seconds == null ? "–" : (over && counting ? "> " : "") + (story || span(seconds)),
        story ? (seconds < 100 ? seconds.toFixed(1) + " s" : span(seconds)) + " real" : counting ? "counting" : "", counting && !over);
    }
    this.tile("now", storyInstant(this.plan, now) || span(now), this.plan.story ? instant(now) + " real" : "");
    const shift = state && state.end_s != null ? state.end_s : this.plan.end_s;
    const left = shift == null ? null : Math.max(0, shift - now);
    this.tile("left", over ? "over" : state && state.held ? "on hold" : left == null ? "–" : span(left),
      over || left == null ? "" : this.plan.story ? "story " + storySpan(this.plan, left) : "");
  }

  tile(id, value, note, counting) {
    const box = by("clocks").querySelector("[data-testid=" + id + "]");
    write(box.querySelector(".value"), value);
    write(box.querySelector(".note"), note);
    box.classList.toggle("counting", Boolean(counting));
  }
}

const tile = (id, label) => make("div", { className: "clock", data: { testid: id } },
  make("dt", { textContent: label }), make("dd", { className: "value", textContent: "–" }), make("dd", { className: "note" }));

const begin = async () => {
  scheme();
  if (!feed.key) {
    trouble("This link has no key. Open the whole link that threadbare printed, with everything after “#”.", true);
    return;
  }
  for (;;) {
    const { status, body } = await feed.plan();
    if (status === 200) {
      trouble("");
      if (body.mode === "list") { list(body); return; }
      const page = new Page(body);
      // For whoever looks closer, with the browser's own tools.
      globalThis.threadbare = page;
      await page.follow();
      return;
    }
    if (status === 401 || status === 403) {
      trouble("The console refuses this key: " + (body.error || "the link belongs to another run."), true);
      return;
    }
    trouble(status === 0 ? "The console does not answer; trying again…" : "The console answered with status " + status + "; trying again…", true);
    await new Promise((done) => setTimeout(done, AGAIN_MS));
  }
};
begin();
