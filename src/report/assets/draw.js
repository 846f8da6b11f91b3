"use strict";
// Draws figures over time: what the report and the console both show. Nothing is fetched,
// and every text reaches the page as text.
//
// `data` is what all charts of a page share: `story`, `phases`, `triggers`, `lost`, `marks`
// and `at_s`. A chart has `lines`, each with one value for each instant of `at_s`. Both may
// change while they are shown; `update()` draws them again.
const Draw = (() => {
  const narrow = () => document.documentElement.clientWidth <= 860;
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const faded = (colour, share) => colour + Math.round(share * 255).toString(16).padStart(2, "0");

  // 1234.5 as a reader wants it.
  const figure = (value) => {
    if (value == null) return "–";
    const size = Math.abs(value);
    const digits = size === 0 || size >= 100 ? 0 : size >= 10 ? 1 : 2;
    return value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  };
  const tick = (value) => {
    if (value == null) return "";
    if (value >= 10000) return value / 1000 + "k";
    return value.toLocaleString("en", { maximumFractionDigits: 3 });
  };
  const duration = (ms) => ms == null ? "" : ms >= 1000 ? tick(ms / 1000) + " s" : tick(ms) + " ms";
  // The story's time, to the minute where a story runs fast.
  const storyTime = (story, second) => {
    const time = story.starts_s + second * story.scale;
    const unit = story.scale >= 30 ? 60 : 1;
    const whole = Math.round(time / unit) * unit;
    const two = (value) => String(Math.floor(value)).padStart(2, "0");
    const clock = two((whole / 3600) % 24) + ":" + two((whole / 60) % 60);
    return unit === 60 ? clock : clock + ":" + two(whole % 60);
  };

  // Phases, the trigger and the marks, behind every chart over time.
  const backdrop = (data) => (u) => {
    const { ctx, bbox } = u;
    const at = (second) => u.valToPos(second, "x", true);
    const band = (from, to, colour, height) => {
      const left = Math.max(at(from), bbox.left);
      const right = Math.min(at(to), bbox.left + bbox.width);
      if (right <= left) return;
      ctx.fillStyle = colour;
      ctx.fillRect(left, bbox.top, right - left, height);
    };
    ctx.save();
    data.phases.forEach(([from, to], place) => { if (place % 2) band(from, to, style("band"), bbox.height); });
    for (const [from, to] of data.triggers) band(from, to, style("trigger"), bbox.height);
    // Where service was lost: a bar along the top.
    for (const [from, to] of data.lost) band(from, to, style("bad"), 4 * devicePixelRatio);
    ctx.restore();
  };
  // The colour of a mark; every other one is soft.
  const MARKS = { refused: "bad", impact: "bad", trouble: "bad", recovery: "pass", alert: "retries" };
  // A line at each mark. With `names`, its name as well, where there is room for it.
  const markLines = (data, names) => (u) => {
    const { ctx, bbox } = u;
    const dot = devicePixelRatio;
    let free = -Infinity;
    ctx.save();
    ctx.lineWidth = dot;
    ctx.font = "600 " + 10.5 * dot + "px system-ui, sans-serif";
    ctx.textAlign = "center";
    for (const [second, name, sort] of data.marks) {
      const x = Math.round(u.valToPos(second, "x", true));
      if (sort === "ended" || x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = style(MARKS[sort] || "soft");
      ctx.setLineDash(sort === "done" ? [] : [4 * dot, 3 * dot]);
      ctx.globalAlpha = 0.65;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const half = names && name ? ctx.measureText(name).width / 2 + 2 * dot : 0;
      if (half === 0 || x - half < free) continue;
      free = x + half;
      ctx.globalAlpha = 1;
      ctx.fillStyle = ctx.strokeStyle;
      ctx.fillText(name, x, bbox.top - 3 * dot);
    }
    ctx.restore();
  };

  const axis = (values, size, more) => Object.assign({
    stroke: style("soft"), font: "12px system-ui, sans-serif", size, values,
    grid: { stroke: style("rule"), width: 0.5 }, ticks: { stroke: style("rule"), width: 1, size: 5 },
  }, more);
  const axisWidth = () => parseInt(style("axis"), 10);
  const edgeWidth = () => parseInt(style("edge"), 10);
  // The axis of time: seconds of the run, and under them the story's time.
  const timeAxis = (data) => axis(
    (u, splits) => splits.map((second) => second + " s" + (data.story ? "\n" + storyTime(data.story, second) : "")),
    data.story ? 44 : 30, { space: 64 });

  const series = (line, value, fill) => {
    const colour = style(line.role);
    const looks = {
      area: { width: 1.5, fill: faded(colour, fill) },
      line: { width: 1.75 },
      dashed: { width: 1.5, dash: [6, 4] },
      faint: { width: 1, stroke: faded(colour, 0.45), class: "faint" },
    };
    return Object.assign({ label: line.name, stroke: colour, value, points: { show: false } }, looks[line.style]);
  };

  // A plot that is as wide as its place.
  const place = (target, height, options, columns) => {
    const size = () => ({ width: Math.max(target.clientWidth, 240), height });
    const plot = new uPlot(Object.assign(size(), options), columns, target);
    const observer = new ResizeObserver(() => { if (target.clientWidth > 0) plot.setSize(size()); });
    observer.observe(target);
    return { plot, destroy: () => { observer.disconnect(); plot.destroy(); } };
  };

  // The columns of a chart. Of stacked lines each becomes the sum up to it, and the largest
  // is drawn first, so that the others cover it; one that is dashed lies over the stack.
  const columns = (chart, lines) => {
    let values = lines.map((line) => line.values);
    if (chart.stacked) {
      const over = lines.map((line) => line.style === "dashed");
      const areas = values.filter((_, index) => !over[index]);
      for (let index = 1; index < areas.length; index++) {
        areas[index] = areas[index].map((value, row) =>
          value == null && areas[index - 1][row] == null ? null : (value || 0) + (areas[index - 1][row] || 0));
      }
      values = [...areas.reverse(), ...values.filter((_, index) => over[index])];
    }
    if (chart.scale === "log") values = values.map((column) => column.map((value) => (value > 0 ? value : null)));
    return values;
  };

  // A chart over the run's time. `how` has its `height` and the `range` of its time axis, and
  // may have: `names` of marks above it, `select(from, to)` in place of the zoom, and
  // `latest(values)`, the row whose values the legend shows while nobody points at any.
  const overTime = (target, chart, data, how) => {
    const unit = chart.unit ? " " + chart.unit : "";
    const value = (line) => (u, own, place, row) => {
      let index = row;
      if (index == null && how.latest) index = how.latest(line.values);
      return index == null || index < 0 ? "" : figure(line.values[index]) + unit;
    };
    const drawn = chart.stacked
      ? [...chart.lines.filter((line) => line.style !== "dashed").reverse(), ...chart.lines.filter((line) => line.style === "dashed")]
      : chart.lines;
    const scales = {
      linear: { range: (u, least, most) => [0, most > 0 ? most * 1.06 : 1] },
      share: { range: [0, 104] },
      log: { distr: 3, log: 10 },
    };
    const units = { "%": (value) => tick(value) + " %", ms: duration };
    const made = place(target, how.height, {
      scales: { x: { time: false, range: how.range }, y: scales[chart.scale] },
      padding: [how.names ? 14 : 8, edgeWidth(), 0, 0],
      cursor: { sync: { key: "run" }, y: false, focus: { prox: -1 }, drag: { x: true, y: false, setScale: !how.select } },
      legend: { live: true },
      axes: [
        timeAxis(data),
        axis((u, splits) => splits.map(units[chart.unit] || tick), axisWidth(), { space: 28 }),
      ],
      series: [
        { label: "at", value: (u, second) => second == null ? (how.latest ? "latest" : "") : figure(second) + " s" + (data.story ? " · " + storyTime(data.story, second) : "") },
        ...drawn.map((line) => series(line, value(line), chart.stacked ? 1 : 0.18)),
      ],
      hooks: {
        drawClear: [backdrop(data)],
        draw: [markLines(data, how.names)],
        setSelect: how.select ? [(u) => selected(u, how.select)] : [],
      },
    }, [data.at_s, ...columns(chart, chart.lines)]);
    const update = () => made.plot.setData([data.at_s, ...columns(chart, chart.lines)]);
    return Object.assign(made, { update });
  };
  const selected = (u, select) => {
    if (u.select.width < 2) return;
    const from = u.posToVal(u.select.left, "x");
    const to = u.posToVal(u.select.left + u.select.width, "x");
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    select(from, to);
  };

  return { narrow, style, faded, figure, tick, duration, storyTime, backdrop, markLines, axis, axisWidth, edgeWidth, timeAxis, series, place, selected, overTime };
})();
