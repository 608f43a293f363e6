// How it goes, in short.

import { h } from "./dom.js";
import { state } from "./live.js";
import { days, legend, meter, outcomeBar } from "./charts.js";
import { card, empty, figure, outcome, tryBuild } from "./parts.js";
import { bytes, count, micros, percent, plural } from "./units.js";
import { controls } from "./actions.js";

const sum = (services, field) => services.reduce((total, service) => total + service[field], 0);

function service(row) {
  const asked = row.hits + row.misses;
  const total = asked + row.uncacheable + row.errors + row.bypasses;
  return h("section", { class: "card" },
    h("h3", {}, row.service, h("span", { class: "soft" }, asked ? ` · ${percent(row.hits, asked)} hits` : "")),
    total ? [outcomeBar(row), legend(row)] : h("p", { class: "note" }, "no request yet"));
}

export function render() {
  const { status, stats, overview } = state.snapshot;
  const store = status.store || { bytes: 0, limit_bytes: 0, blobs: 0, actions: 0 };
  const hits = sum(stats.services, "hits");
  const asked = hits + sum(stats.services, "misses");
  const avoided = sum(stats.services, "avoided_us");
  const own = sum(stats.services, "overhead_us");
  const ran = stats.services.flatMap((row) => row.reasons).filter((reason) => reason.outcome !== "hit")
    .reduce((total, reason) => total + reason.tool_us, 0);
  return [
    h("h1", {}, overview.verdict),
    h("div", { class: "grid" },
      figure("Hit rate by count", percent(hits, asked), asked ? `${count(hits)} of ${plural(asked, "request", "requests")} since the start` : "no cacheable request yet"),
      figure("Hit rate by time", percent(avoided, avoided + ran), `${micros(avoided)} avoided, ${micros(ran)} run`),
      figure("Net time saved", micros(avoided - own), `${micros(avoided)} avoided − ${micros(own)} of larder’s own`),
      figure("Store", bytes(store.bytes), meter(store.limit_bytes ? store.bytes / store.limit_bytes : 0, `${percent(store.bytes, store.limit_bytes)} of the limit`),
        `of ${bytes(store.limit_bytes)}; ${plural(store.actions, "result", "results")}, ${plural(store.blobs, "blob", "blobs")}`)),
    h("div", { class: "grid" }, stats.services.map(service)),
    h("div", { class: "grid" },
      card("Costliest reasons", overview.costliest.length
        ? h("ul", { class: "list" }, overview.costliest.map((cause) =>
          h("li", {}, h("span", { class: "cost" }, micros(cause.tool_us)), outcome(cause.outcome), ` ${cause.sentence}`,
            h("div", { class: "note" }, `${plural(cause.count, "call", "calls")} of ${cause.service}`))))
        : empty("No tool has run yet.", tryBuild()),
        overview.costliest.length > 0 && h("p", { class: "note" }, h("a", { href: "#/misses" }, "All causes and calls"))),
      card("Last 30 days", days(overview.days, overview.today.day),
        h("ul", { class: "legend" }, h("li", { class: "hit" }, "hits"), h("li", { class: "miss" }, "tools that ran")))),
    controls(overview.paused),
  ];
}
