// Requests as they come.

import { h } from "./dom.js";
import { state } from "./live.js";
import { calls, empty, sentencesOf, tryBuild } from "./parts.js";
import { OUTCOMES } from "./charts.js";
import { plural } from "./units.js";

const view = { text: "", outcome: "", held: null };
let again = () => {};

export function toolbar(refresh) {
  again = refresh;
  const search = h("input", { type: "search", id: "filter", value: view.text, input: (event) => { view.text = event.target.value; again(); } });
  const choice = h("select", { id: "outcome", change: (event) => { view.outcome = event.target.value; again(); } },
    h("option", { value: "" }, "all"), OUTCOMES.map(([name]) => h("option", { value: name, selected: view.outcome === name }, name)));
  const pause = h("button", { type: "button", id: "hold", "aria-pressed": String(Boolean(view.held)), click: () => {
    view.held = view.held ? null : state.snapshot.stats;
    pause.setAttribute("aria-pressed", String(Boolean(view.held)));
    pause.textContent = view.held ? "Go on" : "Pause the list";
    again();
  } }, view.held ? "Go on" : "Pause the list");
  return h("div", { class: "toolbar" },
    h("div", {}, h("label", { for: "filter" }, "Filter by file, tool or reason"), search),
    h("div", {}, h("label", { for: "outcome" }, "Outcome"), choice), pause);
}

export function render() {
  const stats = view.held || state.snapshot.stats;
  const sentences = sentencesOf(stats);
  const wanted = view.text.toLowerCase();
  const matches = (r) => (!view.outcome || r.outcome === view.outcome)
    && [r.source, r.output, r.unit, r.tool, r.reason, r.detail, sentences.get(r.reason) || ""].some((text) => text.toLowerCase().includes(wanted));
  const records = stats.records.filter(matches);
  if (!stats.records.length) return [empty("No request yet.", tryBuild())];
  return [
    h("p", { class: "note" }, `${plural(records.length, "request", "requests")} of the latest ${stats.records.length}${view.held ? "; the list is paused" : ""}`),
    records.length ? h("section", { class: "card" }, calls("Latest requests", records, sentences)) : empty("None matches the filter."),
  ];
}
