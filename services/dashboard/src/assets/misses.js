// What was no hit: causes, and one call beside the nearest earlier one.

import { h } from "./dom.js";
import { report } from "./live.js";
import { calls, card, empty, facts, outcome, subject, table, tryBuild } from "./parts.js";
import { clock, count, micros } from "./units.js";

export async function load(id) {
  return id ? { one: await report(`/api/v1/records/${encodeURIComponent(id)}`) } : { all: await report("/api/v1/misses") };
}

function causes(all) {
  return card("Causes, costliest first", table("Causes, costliest first",
    [["Reason", "why"], ["Outcome"], ["Service"], ["Calls", "number"], ["Tool time", "number"]],
    all.causes.map((cause) => [cause.sentence, outcome(cause.outcome), cause.service, count(cause.count), micros(cause.tool_us)])));
}

const KINDS = { tool: "Tool", source: "Source", file: "File", crate: "Crate", option: "Option", variable: "Variable (name only)", output: "Output", folder: "Folder" };

function comparison({ record, sentence, inputs, more }) {
  const changed = inputs.filter((input) => input.differs).length;
  const mono = (text) => (text ? h("code", {}, text) : h("span", { class: "soft" }, "–"));
  return [
    h("p", {}, h("a", { href: "#/misses" }, "← All misses")),
    h("h1", {}, subject(record)),
    h("section", { class: "card" }, facts([
      ["Outcome", [outcome(record.outcome), `: ${sentence}`, record.detail && h("span", { class: "soft" }, ` (${record.detail})`)]],
      ["Tool", `${record.tool}, at ${clock(record.at_unix_ms)}`],
      ["Folder", record.cwd || "–"],
      ["Times", `${micros(record.tool_us)} of the tool, ${micros(record.overhead_us)} of larder’s own`],
      ["Action key", record.key ? h("a", { href: `#/store/${record.key}`, class: "mono" }, record.key) : "none was computed"],
    ])),
    card("Inputs beside the nearest earlier call", inputs.length
      ? [h("p", { class: "note" }, `${count(changed)} of ${count(inputs.length)} inputs differ${more ? `; ${count(more)} more are not listed` : ""}.`),
        table("Inputs of this call beside those of the nearest earlier one",
          [["Input"], ["Name", "long"], ["Earlier"], ["This call"], ["Difference"]],
          inputs.map((input) => ({
            class: input.differs ? "differs" : "same",
            cells: [KINDS[input.kind] || input.kind, mono(input.name), mono(input.then), mono(input.now),
              input.differs ? h("span", { class: "mark" }, "≠ differs") : h("span", { class: "soft" }, "same")],
          })))]
      : empty(record.outcome === "hit" ? "It was a hit: every input is that of an earlier call." : "No earlier call for the same object or source is remembered.",
        h("span", {}, "Build it again after a change to see what differs."))),
  ];
}

export function render({ all, one }) {
  if (one) return comparison(one);
  const sentences = new Map(all.causes.map((cause) => [cause.reason, cause.sentence]));
  if (!all.causes.length) return [h("h1", {}, "Misses"), empty("Nothing has missed since the counts began.", tryBuild())];
  return [
    h("h1", {}, "Misses"),
    causes(all),
    card("Calls, latest first", all.records.length ? calls("Calls that were no hits, latest first", all.records, sentences)
      : empty("Its calls are not among the latest that are remembered.")),
  ];
}
