/* The charts of a source, by uPlot. Whatever is read in them comes from the server in the reader's words and digits;
   the script knows neither calendar nor language. They load once they are seen, and not while nobody looks. */
(function () {
  "use strict";

  const boxes = Array.from(document.querySelectorAll("[data-charts]"));
  if (!boxes.length) return;
  const rtl = document.documentElement.dir === "rtl";
  const numbers = new Intl.NumberFormat(document.documentElement.lang === "fa" ? "fa-IR" : "en");
  const PLACE = 58; /* pixels that a mark below a chart needs */
  const LINES = [ /* of the first and the second series: tokens of hamgam.css */
    { stroke: "--brand", fill: "--brand-soft", width: 2 },
    { stroke: "--hold-mark", dash: [4, 4], width: 1.5 },
  ];
  const drawn = new Map(); /* box → its charts */
  const data = new Map(); /* box → what they show */
  const waiting = new Set(boxes);
  const seen = new Set();
  let library = null;

  function token(name) { return getComputedStyle(document.documentElement).getPropertyValue(name).trim(); }

  function uplot(address) {
    library = library || new Promise(function (done, failed) {
      const script = document.createElement("script");
      script.src = address;
      script.onload = function () { done(window.uPlot); };
      script.onerror = failed;
      document.head.append(script);
    });
    return library;
  }

  function tell(box, text) {
    box.querySelectorAll(".chart-told").forEach(function (line) { line.textContent = text; });
  }

  async function load(box) {
    waiting.delete(box);
    try {
      const answers = await Promise.all([
        fetch(box.dataset.charts, { credentials: "same-origin" }), uplot(box.dataset.library), document.fonts.ready,
      ]);
      if (!answers[0].ok) throw new Error(String(answers[0].status));
      const told = await answers[0].json();
      data.set(box, told);
      if (told.x.length > 1) draw(box);
      else tell(box, box.dataset.empty);
    } catch (error) {
      tell(box, box.dataset.failed);
    }
    box.dataset.drawn = String((drawn.get(box) || []).length);
  }

  function draw(box) {
    (drawn.get(box) || []).forEach(function (chart) { chart.destroy(); });
    const told = data.get(box);
    drawn.set(box, Array.from(box.querySelectorAll("[data-chart]")).map(function (place) {
      return one(box, place, told, told.charts[place.dataset.chart]);
    }));
  }

  /* What the line below says: of the point under the pointer, else of the newest one. */
  function read(figure, told, chart, at) {
    const words = chart.series.map(function (series) {
      return (chart.series.length > 1 ? series.name + " " : "") + series.told[at];
    });
    figure.querySelector(".chart-told").textContent = told.labels[at] + ": " + words.join(" · ");
  }

  function one(box, place, told, chart) {
    const figure = place.closest("figure");
    const last = told.x.length - 1;
    const font = "12px " + token("--font");
    const axis = { stroke: token("--ink-2"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false }, font: font };
    figure.querySelector("[data-unit]").textContent = chart.unit ? "(" + chart.unit + ")" : "";
    read(figure, told, chart, last);
    const plot = new window.uPlot({
      width: place.clientWidth,
      height: place.clientHeight,
      padding: rtl ? [10, 6, 0, 34] : [10, 34, 0, 6], /* the newest mark stands at the edge */
      drawOrder: ["axes", "series"],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, y: false, sync: { key: box.dataset.of } },
      scales: {
        x: { time: false, dir: rtl ? -1 : 1, range: function (u, from, to) { return from === to ? [from - 43200, to + 43200] : [from, to]; } },
        y: { range: place.dataset.chart === "records" ? about : fromZero },
      },
      axes: [
        Object.assign({}, axis, {
          size: 26,
          gap: 4,
          splits: function (u) { return thinned(told, (u.bbox.width || u.width * devicePixelRatio) / devicePixelRatio).map(function (mark) { return mark.x; }); },
          values: function (u, splits) { return splits.map(function (x) { return (told.marks.find(function (mark) { return mark.x === x; }) || {}).text; }); },
        }),
        Object.assign({}, axis, {
          side: rtl ? 1 : 3,
          space: 34,
          incrs: place.dataset.chart === "records" ? whole() : undefined,
          values: function (u, splits) { return splits.map(function (value) { return numbers.format(value); }); },
          size: function (u, values) { return widest(u, values, font); },
        }),
      ],
      series: [{}].concat(chart.series.map(function (series, number) {
        const line = LINES[number];
        return {
          label: series.name, stroke: token(line.stroke), fill: line.fill && token(line.fill) + "b0", width: line.width, /* the lines of the axes shine through */
          dash: line.dash, spanGaps: true, points: { size: 5, fill: token("--surface") },
        };
      })),
      hooks: { setCursor: [function (u) { read(figure, told, chart, u.cursor.idx === null || u.cursor.idx === undefined ? last : u.cursor.idx); }] },
    }, [told.x].concat(chart.series.map(function (series) { return series.values; })), place);
    return plot;
  }

  /* Small changes of a large number are what is looked for, so its axis does not begin at zero. */
  function about(u, from, to) {
    if (from === null) return [0, 1];
    const space = Math.max((to - from) * 0.15, 2);
    return [Math.max(0, Math.floor(from - space)), Math.ceil(to + space)];
  }

  function fromZero(u, from, to) { return [0, (to || 1) * 1.15]; }

  function whole() {
    const found = [];
    for (let power = 1; power <= 1e9; power *= 10) found.push(power, 2 * power, 5 * power);
    return found;
  }

  /* As many of the marks as have room, the newest among them. */
  function thinned(told, width) {
    const marks = told.marks, span = told.x[told.x.length - 1] - told.x[0];
    if (marks.length < 2 || !span) return marks;
    const apart = (marks[marks.length - 1].x - marks[0].x) / (marks.length - 1) / span * width;
    const step = Math.ceil(PLACE / apart);
    return marks.filter(function (mark, place) { return (marks.length - 1 - place) % step === 0; });
  }

  function widest(u, values, font) {
    if (!values) return 40;
    u.ctx.save();
    u.ctx.font = font;
    const most = Math.max.apply(null, values.map(function (text) { return u.ctx.measureText(text || "").width; }));
    u.ctx.restore();
    return Math.ceil(most) + 14;
  }

  /* ---- when: once seen, not while hidden; anew when a source has been synced, the window or the colours change ---- */
  function loadSeen() {
    if (document.hidden) return;
    seen.forEach(function (box) { if (waiting.has(box)) load(box); });
  }
  const watch = new IntersectionObserver(function (entries) {
    entries.forEach(function (entry) {
      if (entry.isIntersecting) seen.add(entry.target);
      else seen.delete(entry.target);
    });
    loadSeen();
  }, { rootMargin: "200px" });
  const size = new ResizeObserver(function (entries) {
    entries.forEach(function (entry) {
      (drawn.get(entry.target) || []).forEach(function (chart) {
        const place = chart.root.parentElement;
        if (place.clientWidth && place.clientWidth !== chart.width) chart.setSize({ width: place.clientWidth, height: place.clientHeight });
      });
    });
  });
  boxes.forEach(function (box) {
    watch.observe(box);
    size.observe(box);
  });
  document.addEventListener("visibilitychange", loadSeen);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", function () { drawn.forEach(function (charts, box) { draw(box); }); });

  function state(box) {
    const row = document.getElementById("source-" + box.dataset.of);
    return row && row.dataset.status === "success" ? row.dataset.run : null;
  }
  const shown = new Map(boxes.map(function (box) { return [box, state(box)]; }));
  document.addEventListener("drawn", function () {
    boxes.forEach(function (box) {
      const now = state(box);
      if (!now || now === shown.get(box)) return;
      shown.set(box, now);
      waiting.add(box);
    });
    loadSeen();
  });
})();
