// Everything that was sent, kept in the page: it stays useful after the console is gone, and a
// finished run is played back from it. `until` is the instant shown; all of it while it is live.

const POINTS_MAX = 2000;
// How old a figure may be that still stands for now.
export const NEW_S = 3;
export const NEW_FRAMES = 3;
// For how long the clock goes on by itself when nothing arrives.
const AHEAD_MAX_S = 5;

// Figures of which the largest stands for many frames; of all others it is the mean.
const LARGEST = new Set(["p50_ms", "p99_ms", "waiting", "send_lag_p99_ms"]);
// What is drawn of a mark, in words of `Draw.markLines`; others have no line.
const LINES = {
  alert: (mark) => (mark.outcome === "cleared" ? "" : "alert"), clock: (mark) => mark.sort,
  note: () => "", elsewhere: () => "done", undone: () => "done", held: () => "", went_on: () => "",
  declined: () => "refused", stop: () => "trouble", warning: () => "trouble", died: () => "trouble",
};
const FINDINGS = [
  ["began_s", "impact began", "impact"], ["detected_s", "detected", "alert"],
  ["mitigated_s", "mitigated", "recovery"], ["recovered_s", "recovered", "recovery"],
];
const OUTCOMES = { rejected: "refused", failed: "trouble", applied: "done" };

export class Store {
  constructor() {
    this.frames = [];
    this.marks = [];
    this.states = [];
    this.end = null;
    this.until = Infinity;
    this.latest = 0;
    this.arrived = 0;
    this.numbers = 0;
    this.actions = new Map(); // entry -> what is drawn of it
    this.found = new Map(); // name in the clock -> its newest mark
    this.version = 0;
  }

  take(message) {
    this.version += 1;
    if (message.t > this.latest || this.arrived === 0) {
      this.latest = Math.max(this.latest, message.t || 0);
      this.arrived = performance.now();
    }
    if (message.kind === "frame") this.frame(message);
    else if (message.kind === "mark") this.mark(message);
    else if (message.kind === "state") this.state(message);
    else if (message.kind === "end") this.end = message;
  }

  // A frame of an instant that is there already has later figures of it.
  frame(frame) {
    const place = this.after(frame.t - 1e-4);
    const there = this.frames[place];
    if (there && Math.abs(there.t - frame.t) < 1e-3) this.frames[place] = Object.assign({}, there, frame);
    else this.frames.splice(place, 0, frame);
  }

  mark(mark) {
    if (mark.mark === "action") {
      let drawn = this.actions.get(mark.entry);
      if (!drawn) {
        drawn = { number: ++this.numbers, t: mark.t, outcomes: [] };
        this.actions.set(mark.entry, drawn);
      }
      mark.number = drawn.number;
      drawn.outcomes.push(mark);
    } else if (LINES[mark.drawn || mark.mark]) {
      mark.number = ++this.numbers;
    }
    this.marks.push(mark);
  }

  // What the clock of the incident found is something that happened, at its own instant.
  state(state) {
    const before = this.states[this.states.length - 1];
    this.states.push(state);
    if (!before || before.state !== state.state) {
      this.mark({ t: state.t, kind: "mark", mark: "state", label: before ? before.state + " → " + state.state : state.state });
    }
    for (const [name, label, sort] of FINDINGS) {
      const at = state.clock && state.clock[name];
      const found = this.found.get(name);
      if (at == null || (found && Math.abs(found.t - at) < 0.05)) continue;
      // At the end the analysis says it from the whole record; before, it happened again.
      const over = state.state === "ended";
      if (found && over) found.replaced = true;
      const mark = { t: at, known: state.t, kind: "mark", mark: "finding", drawn: "clock", label: found ? label + (over ? ", by the whole record" : ", again") : label, sort };
      this.found.set(name, mark);
      this.mark(mark);
    }
  }

  // The place of the first frame after an instant.
  after(second) {
    let low = 0;
    let high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.frames[middle].t > second) high = middle; else low = middle + 1;
    }
    return low;
  }

  // The state and the incident's clock at the instant that is shown.
  current() {
    if (this.until === Infinity) return this.states[this.states.length - 1] || null;
    return this.states.findLast((state) => state.t <= this.until) || null;
  }

  // The instant that is shown. While it is live, the clock goes on between two messages.
  now() {
    if (this.until !== Infinity) return Math.min(this.until, this.latest);
    const state = this.current();
    if (!state || this.end || state.state === "set-up" || state.state === "ended") return this.latest;
    return this.latest + Math.min((performance.now() - this.arrived) / 1000, AHEAD_MAX_S);
  }

  shown(mark) {
    return Math.max(mark.t || 0, mark.known || 0) <= this.until;
  }

  // The newest frame with this figure: users' figures come later than the others. An older
  // one says nothing of now: while nobody succeeds there is no response time.
  newest(name) {
    const last = this.after(this.until) - 1;
    for (let place = last; place >= 0; place--) {
      const frame = this.frames[place];
      if (this.frames[last].t - frame.t > Math.max(NEW_S, NEW_FRAMES * frame.width_s)) return null;
      if (frame[name] != null) return frame;
    }
    return null;
  }

  // The frames that end within a window, at most so many: several become one, and a hole
  // in what was sent stays a hole.
  view(from, to, most = POINTS_MAX) {
    const last = this.after(Math.min(to, this.until) + 1e-6);
    const first = Math.max(0, this.after(from) - 1);
    const together = Math.max(1, Math.ceil((last - first) / most));
    const rows = [];
    for (let place = first - (first % together); place < last; place += together) {
      const group = this.frames.slice(Math.max(place, 0), Math.min(place + together, last));
      const row = together === 1 ? group[0] : merged(group);
      const before = rows[rows.length - 1];
      if (before && row.t - row.width_s - before.t > 0.5 * row.width_s) {
        rows.push({ t: before.t + row.width_s, width_s: row.width_s, instances: [] });
      }
      rows.push(row);
    }
    return rows;
  }

  // `[second, number, sort]` of every mark with a line, by time.
  lines() {
    const lines = [];
    for (const drawn of this.actions.values()) {
      const known = drawn.outcomes.filter((outcome) => this.shown(outcome));
      if (known.length === 0) continue;
      const last = known[known.length - 1];
      lines.push([drawn.t, String(drawn.number), OUTCOMES[last.outcome] || ""]);
    }
    for (const mark of this.marks) {
      const sort = LINES[mark.drawn || mark.mark];
      if (sort && !mark.replaced && this.shown(mark)) lines.push([mark.t, String(mark.number), sort(mark)]);
    }
    return lines.sort((a, b) => a[0] - b[0]);
  }

  // Spans in which a test of the state held, to the instant shown.
  spans(test) {
    const spans = [];
    let from = null;
    for (const state of this.states) {
      if (state.t > this.until) break;
      if (test(state.state)) { if (from == null) from = state.t; }
      else if (from != null) { spans.push([from, state.t]); from = null; }
    }
    if (from != null) spans.push([from, this.now()]);
    return spans;
  }

  // For how long the timeline has been on hold, in seconds: what was planned comes later by it.
  heldFor() {
    let held = 0;
    let since = null;
    for (const mark of this.marks) {
      if (!this.shown(mark)) continue;
      if (mark.mark === "held") since = mark.t;
      if (mark.mark === "went_on" && since != null) { held += mark.t - since; since = null; }
    }
    return held;
  }

  // Where a phase begins: with the load, or with an action that begins another one.
  phases() {
    const begun = [];
    let phase = null;
    for (const mark of this.marks) {
      const own = mark.mark === "phase" ? mark.label : mark.phase;
      if (own == null || own === phase || !this.shown(mark)) continue;
      phase = own;
      begun.push(mark.t);
    }
    return begun.map((from, place) => [from, begun[place + 1] == null ? this.now() : begun[place + 1]]);
  }
}

const merged = (frames) => {
  const one = { t: frames[frames.length - 1].t, width_s: frames.reduce((sum, frame) => sum + frame.width_s, 0) };
  for (const name of Object.keys(frames[0])) {
    if (name === "t" || name === "width_s" || name === "seq" || name === "kind") continue;
    if (name === "instances" && frames[0].instances) {
      one.instances = frames[0].instances.map((_, place) => together(frames.map((frame) => (frame.instances || [])[place])));
    } else if (name === "held") {
      one.held = together(frames.map((frame) => frame.held));
    } else {
      one[name] = joint(name, frames.map((frame) => frame[name]));
    }
  }
  return one;
};
const together = (objects) => {
  const known = objects.filter(Boolean);
  if (known.length === 0) return null;
  const one = {};
  for (const name of Object.keys(known[0])) {
    one[name] = typeof known[0][name] === "string" ? known[0][name] : joint(name, known.map((object) => object[name]));
  }
  return one;
};
const joint = (name, values) => {
  const known = values.filter((value) => value != null);
  if (known.length === 0) return null;
  if (LARGEST.has(name)) return Math.max(...known);
  return known.reduce((sum, value) => sum + value, 0) / known.length;
};
