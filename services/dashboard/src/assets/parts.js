// What several pages are made of.

import { h } from "./dom.js";
import { bytes, clock, micros } from "./units.js";

export const card = (title, ...content) => h("section", { class: "card" }, title && h("h2", {}, title), ...content);

export const figure = (label, value, ...notes) =>
  h("section", { class: "card" }, h("h2", { class: "label" }, label), h("p", { class: "figure" }, value),
    notes.map((note) => (typeof note === "string" ? h("p", { class: "note" }, note) : note)));

// Columns are [heading, class of its cells]; a row is an array of cells, or { cells, class }.
export function table(caption, columns, rows) {
  const cell = (content, index) =>
    h(index ? "td" : "th", { class: columns[index][1] || false, scope: index ? false : "row" }, content);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {},
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, columns.map(([heading, kind]) => h("th", { scope: "col", class: kind === "number" ? "number" : false }, heading)))),
      h("tbody", {}, rows.map((row) => h("tr", { class: row.class || false }, (row.cells || row).map(cell))))));
}

export const outcome = (name) => h("span", { class: `outcome ${name}` }, name);

export const empty = (what, ...next) => h("div", { class: "empty" }, h("p", {}, what), next);

export const failed = (error, since) =>
  h("div", { class: "notice", role: "alert" }, h("p", {}, `${error.message} (since ${clock(since)})`));

export const facts = (rows) =>
  h("dl", { class: "facts" }, rows.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));

// What a call is about: a crate, a source, or the tool.
export const subject = (r) => r.unit || r.source || r.output || r.tool || "–";

export function calls(caption, records, sentences) {
  return table(caption,
    [["Source", "long"], ["Time", "time"], ["Outcome"], ["Tool"], ["Reason", "why"], ["larder", "number"], ["Tool time", "number"], ["Size", "number"]],
    records.map((r) => [
      h("a", { href: `#/misses/${r.id}` }, subject(r)), clock(r.at_unix_ms), outcome(r.outcome), r.tool,
      [sentences.get(r.reason) || r.reason, r.detail && h("span", { class: "soft" }, ` ${r.detail}`)],
      micros(r.overhead_us), r.tool_us ? micros(r.tool_us) : "–", r.bytes ? bytes(r.bytes) : "–",
    ]));
}

export const sentencesOf = (stats) =>
  new Map(stats.services.flatMap((service) => service.reasons.map((reason) => [reason.id, reason.sentence])));

export const tryBuild = () => [h("span", {}, "Try: "), h("code", {}, "larder gcc -c hello.c"), h("span", {}, " or "), h("code", {}, "larder build -- cargo build")];
