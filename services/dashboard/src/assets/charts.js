// Pictures of figures. Each has a text that says the same.

import { s, h } from "./dom.js";
import { count, date, micros, plural } from "./units.js";

export const OUTCOMES = [
  ["hit", "hits"],
  ["miss", "misses"],
  ["uncacheable", "uncacheable"],
  ["error", "errors"],
  ["bypass", "bypasses"],
];

export function outcomeBar(counts, height = 10) {
  const total = OUTCOMES.reduce((sum, [, field]) => sum + counts[field], 0);
  let x = 0;
  const parts = OUTCOMES.filter(([, field]) => counts[field]).map(([outcome, field]) => {
    const width = (counts[field] * 1000) / total;
    const part = s("rect", { class: outcome, x, y: 0, width: Math.max(width - 2, 1), height });
    x += width;
    return part;
  });
  const label = OUTCOMES.map(([, field]) => `${count(counts[field])} ${field}`).join(", ");
  const svg = s("svg", { viewBox: `0 0 1000 ${height}`, height, preserveAspectRatio: "none", role: "img", "aria-label": label }, parts);
  return h("div", { class: "bar" }, svg);
}

export const legend = (counts) =>
  h("ul", { class: "legend" }, OUTCOMES.filter(([, field]) => counts[field]).map(([outcome, field]) =>
    h("li", { class: outcome }, plural(counts[field], outcome === "bypass" ? "bypass" : field.replace(/s$/, ""), field))));

export function meter(part, label) {
  const width = Math.min(Math.max(part, 0), 1) * 1000;
  const fill = part > 0.95 ? "uncacheable" : "hit";
  return h("div", { class: "meter" },
    s("svg", { viewBox: "0 0 1000 8", height: 8, preserveAspectRatio: "none", role: "img", "aria-label": label },
      s("rect", { class: fill, width: part > 0 ? Math.max(width, 6) : 0, height: 8 })));
}

// Hits above misses, a column for each of the last days.
export function days(all, today) {
  const shown = 30;
  const rows = Array.from({ length: shown }, (_, index) => {
    const day = today - shown + 1 + index;
    return all.find((row) => row.day === day) || { day, hits: 0, misses: 0, uncacheable: 0, errors: 0, avoided_us: 0, overhead_us: 0 };
  });
  const rest = (row) => row.misses + row.uncacheable + row.errors;
  const most = Math.max(1, ...rows.map((row) => row.hits + rest(row)));
  const [width, height] = [600, 96];
  const step = width / shown;
  const columns = rows.flatMap((row, index) => {
    const hit = (row.hits * height) / most;
    const ran = (rest(row) * height) / most;
    const title = `${date(row.day)}: ${count(row.hits)} hits, ${count(rest(row))} others, ${micros(row.avoided_us - row.overhead_us)} saved`;
    const x = index * step + 2;
    return s("g", {}, s("title", {}, title),
      s("rect", { class: "miss", x, y: height - hit - ran, width: step - 4, height: ran }),
      s("rect", { class: "hit", x, y: height - hit, width: step - 4, height: hit }));
  });
  const total = rows.reduce((sum, row) => sum + row.hits, 0);
  return h("div", { class: "chart" },
    s("svg", { viewBox: `0 0 ${width} ${height + 18}`, role: "img", "aria-label": `Hits and others of the last ${shown} days; ${count(total)} hits in all` },
      columns, s("line", { class: "axis", x1: 0, x2: width, y1: height + .5, y2: height + .5 }),
      s("text", { x: 0, y: height + 14 }, date(rows[0].day)),
      s("text", { x: width, y: height + 14, "text-anchor": "end" }, "today")));
}

// A bar for each call, on as many rows as ran at once.
export function timeline(records) {
  const begin = (r) => r.at_unix_ms - (r.overhead_us + (r.outcome === "hit" ? 0 : r.tool_us)) / 1000;
  const sorted = [...records].sort((a, b) => begin(a) - begin(b));
  const first = Math.min(...sorted.map(begin));
  const span = Math.max(...sorted.map((r) => r.at_unix_ms)) - first || 1;
  const rows = [];
  const [width, line] = [1000, 14];
  const bars = sorted.map((r) => {
    const [from, to] = [begin(r), r.at_unix_ms];
    let row = rows.findIndex((busy) => busy <= from);
    if (row < 0) row = rows.push(0) - 1;
    rows[row] = to;
    const x = ((from - first) * width) / span;
    const long = Math.max(((to - from) * width) / span, 2);
    return s("rect", { class: r.outcome, x: Math.min(x, width - 2), y: row * line, width: long, height: line - 3 },
      s("title", {}, `${r.unit || r.source || r.tool}: ${r.outcome}, ${micros(Math.round((to - from) * 1000))}`));
  });
  const height = Math.max(rows.length, 1) * line;
  const label = `Timeline of ${count(records.length)} calls over ${micros(Math.round(span * 1000))}, at most ${rows.length} at once`;
  return h("div", { class: "chart" },
    s("svg", { viewBox: `0 0 ${width} ${height + 18}`, role: "img", "aria-label": label }, bars,
      s("line", { class: "axis", x1: 0, x2: width, y1: height + .5, y2: height + .5 }),
      s("text", { x: 0, y: height + 14 }, "0"),
      s("text", { x: width, y: height + 14, "text-anchor": "end" }, micros(Math.round(span * 1000)))));
}
