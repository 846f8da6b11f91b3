"use strict";
// Draws the charts of the page from the data inside it. Nothing is fetched.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const plots = [];
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
  const story = (second) => {
    const time = data.story.starts_s + second * data.story.scale;
    const unit = data.story.scale >= 30 ? 60 : 1;
    const whole = Math.round(time / unit) * unit;
    const two = (value) => String(Math.floor(value)).padStart(2, "0");
    const clock = two((whole / 3600) % 24) + ":" + two((whole / 60) % 60);
    return unit === 60 ? clock : clock + ":" + two(whole % 60);
  };

  // Phases, the trigger and the marks, behind every chart over time.
  const backdrop = (u) => {
    const { ctx, bbox } = u;
    const at = (second) => u.valToPos(second, "x", true);
    const band = (from, to, colour) => {
      const left = Math.max(at(from), bbox.left);
      const right = Math.min(at(to), bbox.left + bbox.width);
      if (right <= left) return;
      ctx.fillStyle = colour;
      ctx.fillRect(left, bbox.top, right - left, bbox.height);
    };
    ctx.save();
    data.phases.forEach(([from, to], place) => { if (place % 2) band(from, to, style("band")); });
    for (const [from, to] of data.triggers) band(from, to, style("trigger"));
    // Where service was lost: a bar along the top.
    const bar = 4 * devicePixelRatio;
    for (const [from, to] of data.lost) {
      const left = Math.max(at(from), bbox.left);
      const right = Math.min(at(to), bbox.left + bbox.width);
      if (right <= left) continue;
      ctx.fillStyle = style("bad");
      ctx.fillRect(left, bbox.top, right - left, bar);
    }
    ctx.restore();
  };
  const markLines = (u) => {
    const { ctx, bbox } = u;
    const colours = { refused: "bad", impact: "bad", trouble: "bad", recovery: "pass", alert: "retries" };
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    for (const [second, , sort] of data.marks) {
      const x = Math.round(u.valToPos(second, "x", true));
      if (sort === "ended" || x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.strokeStyle = style(colours[sort] || "soft");
      ctx.setLineDash(sort === "done" ? [] : [4 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.globalAlpha = 0.65;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  };

  const axis = (values, size, more) => Object.assign({
    stroke: style("soft"), font: "12px system-ui, sans-serif", size, values,
    grid: { stroke: style("rule"), width: 0.5 }, ticks: { stroke: style("rule"), width: 1, size: 5 },
  }, more);
  const axisWidth = () => parseInt(style("axis"), 10);
  const edgeWidth = () => parseInt(style("edge"), 10);

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

  const place = (id, height, options, columns) => {
    const target = document.getElementById(id);
    const size = () => ({ width: Math.max(target.clientWidth, 240), height });
    const plot = new uPlot(Object.assign(size(), options), columns, target);
    const observer = new ResizeObserver(() => plot.setSize(size()));
    observer.observe(target);
    plots.push(() => { observer.disconnect(); plot.destroy(); });
  };

  // All of the data means all of the run; anything else is a closer look.
  const wholeOrZoomed = (u, from, to) =>
    from === data.at_s[0] && to === data.at_s[data.at_s.length - 1] ? [0, data.to_s] : [from, to];

  const overTime = (chart) => {
    // A line without any value, or of an effect that never showed, says nothing.
    const shown = chart.lines.filter((line) => line.values.some((value) => value > (chart.scale === "share" ? 0.5 : 0))
      || (chart.lines.indexOf(line) === 0));
    let columns = shown.map((line) => line.values);
    let lines = shown.map((line, index) =>
      series(line, (u, value, own, row) => row == null ? "" : figure(shown[index].values[row]) + " " + chart.unit,
        chart.stacked ? 1 : 0.18));
    if (chart.stacked) {
      // Each line becomes the sum up to it; the largest is drawn first, so that the others cover it.
      for (let index = 1; index < columns.length; index++) {
        columns[index] = columns[index].map((value, row) =>
          value == null && columns[index - 1][row] == null ? null : (value || 0) + (columns[index - 1][row] || 0));
      }
      columns = columns.reverse();
      lines = lines.reverse();
    }
    if (chart.scale === "log") {
      columns = columns.map((column) => column.map((value) => (value > 0 ? value : null)));
    }
    const scales = {
      linear: { range: (u, least, most) => [0, most > 0 ? most * 1.06 : 1] },
      share: { range: [0, 104] },
      log: { distr: 3, log: 10 },
    };
    const units = { "%": (value) => tick(value) + " %", ms: duration };
    const both = (u, splits) => splits.map((second) => second + " s" + (data.story ? "\n" + story(second) : ""));
    place("chart-" + chart.id, narrow() ? 190 : 220, {
      scales: { x: { time: false, range: wholeOrZoomed }, y: scales[chart.scale] },
      padding: [8, edgeWidth(), 0, 0],
      cursor: { sync: { key: "run" }, y: false, focus: { prox: -1 }, drag: { x: true, y: false, setScale: true } },
      legend: { live: true },
      axes: [
        axis(both, data.story ? 44 : 30, { space: 64 }),
        axis((u, splits) => splits.map(units[chart.unit] || tick), axisWidth(), { space: 28 }),
      ],
      series: [
        { label: "at", value: (u, second) => second == null ? "" : figure(second) + " s" + (data.story ? " · " + story(second) : "") },
        ...lines,
      ],
      hooks: {
        drawClear: [backdrop],
        draw: [markLines],
      },
    }, [data.at_s, ...columns]);
  };

  const spread = (chart) => {
    place("spread-" + chart.id, 200, {
      scales: { x: { time: false, distr: 3, log: 10 }, y: { range: (u, least, most) => [0, most > 0 ? most * 1.08 : 1] } },
      padding: [8, 22, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      axes: [
        axis((u, splits) => splits.map(duration), 30, { space: 50 }),
        axis((u, splits) => splits.map((value) => tick(value) + " %"), 44, { space: 28 }),
      ],
      series: [
        { label: "from", value: (u, value) => value == null ? "" : figure(value) + " ms" },
        ...chart.windows.map((window) => Object.assign(
          series({ name: window.name, role: window.role, style: "area" }, (u, value) => value == null ? "" : figure(value) + " %", 0.16),
          { paths: uPlot.paths.stepped({ align: 1 }) })),
      ],
    }, [chart.edges_ms, ...chart.windows.map((window) => window.shares)]);
  };

  // Marks that would cover each other move up by a row.
  const stackMarks = () => {
    const marks = document.querySelectorAll("#strip .marks .mark");
    const rows = [];
    for (const mark of marks) {
      const left = mark.offsetLeft;
      let row = rows.findIndex((end) => left >= end);
      if (row < 0) row = rows.length;
      rows[row] = left + mark.offsetWidth + 2;
      mark.dataset.row = row;
    }
    const box = document.querySelector("#strip .marks");
    box.style.height = 24 * Math.max(rows.length, 1) + "px";
    for (const mark of marks) mark.style.top = 2 + 24 * (rows.length - 1 - mark.dataset.row) + "px";
  };

  const draw = () => {
    while (plots.length) plots.pop()();
    data.charts.forEach(overTime);
    data.spreads.forEach(spread);
    stackMarks();
  };
  draw();
  let wasNarrow = narrow();
  addEventListener("resize", () => {
    if (narrow() !== wasNarrow) { wasNarrow = narrow(); draw(); } else stackMarks();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  matchMedia("print").addEventListener("change", draw);
})();
