// Draws the charts of the report from the data inside it.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const plots = [];
  const { narrow, figure, tick, duration, axis, series } = Draw;

  // All of the data means all of the run; anything else is a closer look.
  const wholeOrZoomed = (u, from, to) =>
    from === data.at_s[0] && to === data.at_s[data.at_s.length - 1] ? [0, data.to_s] : [from, to];

  const overTime = (chart) => {
    // A line without any value, or of an effect that never showed, says nothing.
    const least = chart.scale === "share" ? 0.5 : 0;
    const lines = chart.lines.filter((line, index) => index === 0 || line.values.some((value) => value > least));
    const how = { height: narrow() ? 190 : 220, range: wholeOrZoomed };
    plots.push(Draw.overTime(document.getElementById("chart-" + chart.id), Object.assign({}, chart, { lines }), data, how));
  };

  const spread = (chart) => {
    plots.push(Draw.place(document.getElementById("spread-" + chart.id), 200, {
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
    }, [chart.edges_ms, ...chart.windows.map((window) => window.shares)]));
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
    while (plots.length) plots.pop().destroy();
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
