// The charts of the run, all over one axis of time, each with a table of what it shows.
// How a chart is drawn is the report's own script, `draw.js`.

import { NEW_FRAMES, NEW_S } from "/store.js";
import { by, make, write, both, span } from "/dom.js";

const RECENT_S = 120;
const ROWS_MAX = 240;
const TABLE_EVERY_MS = 2000;
// With more instances than this the legend would be longer than the map.
const NAMED_MAX = 8;

const percent = (share) => (share == null ? null : 100 * share);
const held = (part) => (frame) => (frame.held ? frame.held[part] : null);
const errors = (frame) =>
  frame.offered == null || frame.error_share == null ? null : frame.offered * frame.error_share;

const CHARTS = [
  {
    id: "users", title: "Users", about: "Operations per second, by intended start.", unit: "/s", scale: "linear",
    lines: [["goodput", "good", "area", (f) => f.goodput], ["errors", "bad", "line", errors], ["offered", "neutral", "dashed", (f) => f.offered]],
  },
  {
    id: "latency", title: "Response time", about: "Of operations that succeeded, by intended start; logarithmic.", unit: "ms", scale: "log",
    lines: [["p50", "good", "line", (f) => f.p50_ms], ["p99", "bad", "line", (f) => f.p99_ms]],
  },
  {
    id: "asked", title: "Requests to the target", about: "Per second, stacked, by instant.", unit: "/s", scale: "linear", stacked: true,
    lines: [["first tries", "good", "area", (f) => f.first], ["retries", "retries", "area", (f) => f.retries], ["probes", "probes", "area", (f) => f.probes]],
  },
  {
    id: "held", title: "What holds the workers", about: "Busy workers, stacked, by instant; dashed: all there are.", unit: "", scale: "linear", stacked: true,
    lines: [
      ["live callers", "good", "area", held("live")], ["callers who had gone", "bad", "area", held("gone")],
      ["detached tasks", "probes", "area", held("detached")], ["cold cache", "retries", "area", held("cold")],
      ["probes", "neutral", "area", held("probes")], ["all workers", "ink", "dashed", (f) => (f.held ? f.workers : null)],
    ],
  },
  { id: "instances", title: "Busy workers by instance", about: "The fuller the colour, the busier; a gap: no answer." },
  {
    id: "waiting", title: "Jobs waiting", about: "For a worker, in the whole target, by instant.", unit: "", scale: "linear",
    lines: [["waiting", "good", "area", (f) => f.waiting]],
  },
  {
    id: "machine", title: "Machine and generator", about: "Share of CPU in use. A full one distorts what is measured.", unit: "%", scale: "share",
    lines: [["machine", "good", "area", (f) => percent(f.machine_busy)], ["generator’s threads", "retries", "line", (f) => percent(f.generator_busy)]],
  },
  {
    id: "lag", title: "Send lag of the generator", about: "p99. It is the generator’s own error.", unit: "ms", scale: "linear",
    lines: [["send lag p99", "good", "area", (f) => f.send_lag_p99_ms]],
  },
];

export class Charts {
  constructor(plan, store, changed) {
    this.plan = plan;
    this.store = store;
    this.changed = changed;
    this.window = { kind: "all" };
    // What all charts share; `draw.js` reads it at each drawing.
    this.data = { story: plan.story, phases: [], triggers: [], lost: [], marks: [], at_s: [] };
    this.range = [0, 1];
    this.rows = [];
    this.charts = CHARTS.map((chart) => this.frame(chart));
    for (const button of document.querySelectorAll("[data-window]")) {
      button.addEventListener("click", () => this.look({ kind: button.dataset.window }));
    }
    this.look(this.window);
  }

  frame(chart) {
    const plot = make("div", { className: "plot", role: "img", ariaLabel: chart.title + ": " + chart.about });
    const table = make("div", { className: "wide" });
    const details = make("details", {}, make("summary", { textContent: "Figures as a table" }), table);
    const figure = make("figure", { className: "chart", hidden: true, data: { chart: chart.id } },
      make("figcaption", {}, make("b", { textContent: chart.title }), " " + chart.about), plot, details);
    plot.addEventListener("dblclick", () => this.look({ kind: "all" }));
    const one = { chart, figure, plot, details, table, made: null, tabled: 0 };
    details.addEventListener("toggle", () => { one.tabled = 0; this.tabulate(one); });
    by("plots").append(figure);
    return one;
  }

  look(window) {
    this.window = window;
    for (const button of document.querySelectorAll("[data-window]")) {
      button.setAttribute("aria-pressed", String(button.dataset.window === window.kind));
    }
    for (const one of this.charts) one.tabled = 0;
    this.changed();
  }

  bounds() {
    const now = this.store.now();
    const { kind, from, to } = this.window;
    if (kind === "fixed") return [from, to];
    const whole = this.store.until === Infinity ? now : this.store.latest;
    if (kind === "recent") return [Math.max(0, now - RECENT_S), Math.max(now, 1)];
    return [0, Math.max(whole, 1)];
  }

  // Draws what changed. Called a few times a second at most.
  draw() {
    this.range = this.bounds();
    this.rows = this.store.view(this.range[0], this.range[1]);
    const data = this.data;
    data.at_s = this.rows.map((row) => row.t - row.width_s / 2);
    data.marks = this.store.lines();
    data.phases = this.store.phases();
    data.lost = this.store.spans((state) => state === "down");
    data.triggers = this.store.spans((state) => state === "degraded" || state === "down" || state === "recovering");
    const [from, to] = this.range;
    const kind = { all: "the whole run", recent: "the last 2 min", fixed: "a closer look" }[this.window.kind];
    write(by("window"), kind + ": " + both(this.plan, from) + " to " + both(this.plan, to));
    for (const one of this.charts) {
      if (one.chart.id === "instances") this.heat(one); else this.lines(one);
      this.tabulate(one);
    }
  }

  lines(one) {
    const lines = one.chart.lines.map(([name, role, style, value]) => ({
      name, role, style, values: this.rows.map((row) => { const it = value(row); return it == null ? null : it; }),
    }));
    if (!one.made) {
      // A figure that this target never gives has no chart.
      if (one.figure.hidden && !lines.some((line) => line.values.some((value) => value != null))) return;
      one.figure.hidden = false;
      one.shown = Object.assign({}, one.chart, { lines });
      one.made = Draw.overTime(one.plot, one.shown, this.data, this.how());
      return;
    }
    one.shown.lines.forEach((line, place) => { line.values = lines[place].values; });
    one.made.update();
  }

  how() {
    return {
      height: Draw.narrow() ? 170 : 190, names: true, latest: (values) => this.latest(values), range: () => this.range,
      select: (from, to) => { if (to - from > 0.2) this.look({ kind: "fixed", from: Math.max(0, from), to }); },
    };
  }

  // The row of the newest value, where it still stands for now; -1 where none does.
  latest(values) {
    const row = values.findLastIndex((value) => value != null);
    const last = this.rows[this.rows.length - 1];
    const old = row < 0 || last.t - this.rows[row].t > Math.max(NEW_S, NEW_FRAMES * last.width_s);
    return old ? -1 : row;
  }

  // Names of instances in the order in which they came, and the busy share of each.
  heat(one) {
    const names = [...(one.names || [])];
    for (const row of this.rows) for (const it of row.instances || []) if (!names.includes(it.name)) names.push(it.name);
    if (names.length === 0) return;
    if (!one.made || names.length > one.names.length) {
      if (one.made) one.made.destroy();
      one.figure.hidden = false;
      one.names = names;
      one.made = this.heatMap(one);
    }
    one.made.plot.setData([this.data.at_s, ...this.shares(one)]);
  }

  shares(one) {
    one.shares = one.names.map((name) => this.rows.map((row) => {
      const it = (row.instances || []).find((instance) => instance.name === name);
      return it && it.busy_share != null ? it.busy_share : null;
    }));
    return one.names.length > NAMED_MAX ? [] : one.shares.map((column) => column.map(percent));
  }

  heatMap(one) {
    const count = one.names.length;
    const short = shortened(one.names);
    const every = Math.ceil(count / 10);
    const places = one.names.map((_, place) => place).filter((place) => place % every === 0);
    const how = this.how();
    const shown = count > NAMED_MAX ? [] : one.names.map((name, place) => ({
      label: name, stroke: Draw.style("bad"), paths: () => null, points: { show: false },
      value: (u, own, of, row) => {
        const column = one.shares[place];
        const index = row == null ? this.latest(column) : row;
        return index < 0 ? "" : Draw.figure(percent(column[index])) + " %";
      },
    }));
    return Draw.place(one.plot, Math.min(56 + Math.max(count * 22, 88), 300), {
      scales: { x: { time: false, range: how.range }, y: { range: [0, count] } },
      padding: [14, Draw.edgeWidth(), 0, 0],
      cursor: { sync: { key: "run" }, y: false, drag: { x: true, y: false, setScale: false } },
      legend: { live: true, show: shown.length > 0 },
      axes: [
        Draw.timeAxis(this.data),
        Draw.axis((u, splits) => splits.map((at) => short[Math.round(count - at - 0.5)]), Draw.axisWidth(), {
          splits: () => places.map((place) => count - place - 0.5), grid: { show: false },
        }),
      ],
      series: [{ label: "at", value: (u, second) => (second == null ? "latest" : both(this.plan, second)) }, ...shown],
      hooks: {
        draw: [(u) => this.cells(u, one), Draw.markLines(this.data, true)],
        setSelect: [(u) => Draw.selected(u, how.select)],
      },
    }, [this.data.at_s, ...this.shares(one)]);
  }

  cells(u, one) {
    const { ctx, bbox } = u;
    const count = one.names.length;
    const height = bbox.height / count;
    const gap = height > 8 * devicePixelRatio ? devicePixelRatio : 0;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.fillStyle = Draw.style("bad");
    const edges = this.rows.map((row) => [u.valToPos(row.t - row.width_s, "x", true), u.valToPos(row.t, "x", true)]);
    one.shares.forEach((column, place) => column.forEach((share, row) => {
      if (share == null || !edges[row]) return;
      const [left, right] = edges[row].map(Math.round);
      ctx.globalAlpha = 0.08 + 0.92 * Math.min(1, Math.max(0, share));
      ctx.fillRect(left, bbox.top + place * height, Math.max(right - left, 1), height - gap);
    }));
    ctx.restore();
  }

  // The figures of the window, the newest first.
  tabulate(one) {
    if (!one.details.open || performance.now() - one.tabled < TABLE_EVERY_MS) return;
    one.tabled = performance.now();
    const rows = this.store.view(this.range[0], this.range[1], ROWS_MAX).reverse();
    const columns = one.chart.id === "instances"
      ? (one.names || []).map((name) => [name + ", % busy", (row) => percent(((row.instances || []).find((it) => it.name === name) || {}).busy_share)])
      : one.chart.lines.map(([name, , , value]) => [name + (one.chart.unit ? ", " + one.chart.unit : ""), value]);
    const width = rows.length > 0 ? rows[0].width_s : 0;
    one.table.replaceChildren(
      make("p", { className: "soft", textContent: "Each row ends at its instant and stands for " + Draw.figure(width) + " s." }),
      make("table", { className: "figures-table" },
        make("thead", {}, make("tr", {}, make("th", { scope: "col", textContent: "at" }),
          ...columns.map(([name]) => make("th", { scope: "col", textContent: name })))),
        make("tbody", {}, ...rows.map((row) => make("tr", {}, make("td", { textContent: both(this.plan, row.t) }),
          ...columns.map(([, value]) => make("td", { textContent: Draw.figure(value(row)) })))))));
  }

  // Colours or widths changed: all is made anew.
  renew() {
    for (const one of this.charts) {
      if (one.made) one.made.destroy();
      one.made = null;
    }
    this.draw();
  }
}

// What all names begin with says nothing beside a map: `instance-3` becomes `3`.
const shortened = (names) => {
  let common = names[0] || "";
  for (const name of names) while (!name.startsWith(common)) common = common.slice(0, -1);
  common = common.replace(/[^-_. ]*$/, "");
  return names.map((name) => {
    const rest = names.length > 1 ? name.slice(common.length) || name : name;
    return rest.length > 8 ? rest.slice(0, 7) + "…" : rest;
  });
};

const FIGURES = [
  ["offered", "offered", (v) => Draw.figure(v) + " /s"], ["goodput", "goodput", (v) => Draw.figure(v) + " /s"],
  ["error_share", "errors", (v) => Draw.figure(percent(v)) + " %"], ["p50_ms", "response p50", (v) => Draw.duration(round(v))],
  ["p99_ms", "response p99", (v) => Draw.duration(round(v))], ["retries", "retries", (v) => Draw.figure(v) + " /s"],
  ["busy_share", "workers busy", (v) => Draw.figure(percent(v)) + " %"], ["waiting", "jobs waiting", (v) => Draw.figure(v)],
  ["machine_busy", "machine busy", (v) => Draw.figure(percent(v)) + " %"], ["send_lag_p99_ms", "send lag p99", (v) => Draw.duration(round(v))],
];
const round = (value) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(3)));

// The latest value of each figure, as tiles.
export const figures = (plan, store) => {
  const box = by("figures");
  if (!box.firstChild) {
    box.append(...FIGURES.map(([name, label]) => make("div", { className: "tile", hidden: true, data: { tile: name } },
      make("div", { className: "label", textContent: label }), make("div", { className: "value", data: { figure: name } }))));
  }
  for (const [name, , text] of FIGURES) {
    const frame = store.newest(name);
    const value = box.querySelector("[data-figure=" + name + "]");
    value.parentElement.hidden = !frame && value.textContent === "";
    write(value, frame ? text(frame[name]) : "–");
    value.dataset.value = frame ? frame[name] : "";
    value.dataset.at = frame ? frame.t : "";
    value.title = frame ? "of the " + span(Math.max(1, frame.width_s)) + " to " + both(plan, frame.t) : "";
  }
};
