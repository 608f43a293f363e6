// Builds, and the calls of one.

import { h } from "./dom.js";
import { report } from "./live.js";
import { legend, outcomeBar, timeline } from "./charts.js";
import { calls, card, empty, figure, table } from "./parts.js";
import { clock, count, micros, moment, percent, plural } from "./units.js";

export const load = (id) => report(id ? `/api/v1/builds/${encodeURIComponent(id)}` : "/api/v1/builds");

// As a shell would take it.
const word = (text) => (/^[\w@%+=:,.\/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
const command = (build) => build.command.map(word).join(" ");

const name = (build) => (build.root ? build.root.split("/").pop() || "/" : build.id);

function list({ builds }) {
  if (!builds.length) return [h("h1", {}, "Builds"), empty("No build yet.", h("span", {}, "Try: "), h("code", {}, "larder build -- make"))];
  return [h("h1", {}, "Builds"), card(null, table("Builds, latest first",
    [["Build", "long"], ["Tools"], ["Started", "time"], ["Hits", "number"], ["Misses", "number"], ["Others", "number"], ["Saved", "number"], ["larder", "number"]],
    builds.map((build) => {
      const counts = build.counts;
      return [
        [h("a", { href: `#/builds/${encodeURIComponent(build.id)}` }, name(build)), build.command.length > 0 && h("div", {}, h("code", {}, command(build))), h("div", { class: "note" }, build.root)],
        [build.tools.join(", ") || "–", build.open && h("span", { class: "outcome hit" }, " open")], moment(build.started_unix_ms),
        count(counts.hits), count(counts.misses), count(counts.uncacheable + counts.errors + counts.bypasses),
        micros(counts.avoided_us), micros(counts.overhead_us),
      ];
    })))];
}

function one({ build, records, slowest }, sentences) {
  const { counts } = build;
  return [
    h("p", {}, h("a", { href: "#/builds" }, "← All builds")),
    h("h1", {}, name(build)),
    h("p", { class: "note" }, `${build.root || "no folder"} · ${build.id.startsWith("pid-") ? `called by process ${build.id.slice(4)}` : `session ${build.id}`} · ${moment(build.started_unix_ms)} to ${clock(build.latest_unix_ms)}${build.open ? " · open" : ""}`),
    build.command.length > 0 && h("p", {}, h("code", {}, command(build))),
    h("div", { class: "grid" },
      figure("Hit rate", percent(counts.hits, counts.hits + counts.misses), outcomeBar(counts), legend(counts)),
      figure("Time saved", micros(counts.avoided_us), `${micros(counts.overhead_us)} of larder’s own`),
      figure("Tools ran", micros(counts.tool_us), `${plural(counts.misses + counts.uncacheable + counts.errors, "call", "calls")}: ${build.tools.join(", ")}`)),
    records.length > 0 && card("Timeline", timeline(records),
      h("p", { class: "note" }, h("a", { href: `/api/v1/builds/${encodeURIComponent(build.id)}/trace`, download: `${build.id}.trace.json` }, "Export as Chrome trace"), " for chrome://tracing or Perfetto")),
    card("Slowest misses", slowest.length ? calls("Slowest misses", slowest, sentences) : empty("No tool ran: everything came from the cache.")),
    records.length > 0 && card("Calls", calls("Calls, earliest first", records, sentences)),
  ];
}

export const render = (report, sentences) => (report.build ? one(report, sentences) : list(report));
