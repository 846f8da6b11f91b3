// A finished run as a film: all of it is in the page, and `store.until` is the instant shown.

import { by, make, write, both } from "/dom.js";

const SPEEDS = [1, 5, 20, 100];
const STEP_MS = 100;

export class Playback {
  constructor(plan, store, moved) {
    this.plan = plan;
    this.store = store;
    this.moved = moved;
    this.speed = 20;
    this.timer = 0;
    by("playback").hidden = false;
    by("play").addEventListener("click", () => this.play(!this.timer));
    by("head").addEventListener("input", () => { this.play(false); this.go(Number(by("head").value)); });
    by("speeds").replaceChildren(...SPEEDS.map((speed) => {
      const button = make("button", { type: "button", textContent: speed + "×", data: { speed } });
      button.addEventListener("click", () => this.choose(speed));
      return button;
    }));
    this.choose(this.speed);
  }

  choose(speed) {
    this.speed = speed;
    for (const button of by("speeds").children) button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === speed));
  }

  // All messages are here: the run is shown whole, until somebody plays it.
  ready() {
    by("head").max = this.store.latest;
    this.go(this.store.latest);
  }

  go(second) {
    const at = Math.min(Math.max(0, second), this.store.latest);
    this.at = at;
    this.store.until = at >= this.store.latest ? Infinity : at;
    by("head").value = at;
    by("head").setAttribute("aria-valuetext", both(this.plan, at));
    write(by("head-at"), both(this.plan, at) + " of " + both(this.plan, this.store.latest));
    this.moved();
  }

  play(on) {
    clearInterval(this.timer);
    this.timer = 0;
    write(by("play"), on ? "Pause" : "Play");
    if (!on) return;
    if (this.at >= this.store.latest) this.go(0);
    let before = performance.now();
    this.timer = setInterval(() => {
      const now = performance.now();
      this.go(this.at + ((now - before) / 1000) * this.speed);
      before = now;
      if (this.at >= this.store.latest) this.play(false);
    }, STEP_MS);
  }
}
