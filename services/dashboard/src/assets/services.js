// How the lanes are served.

import { h } from "./dom.js";
import { state } from "./live.js";
import { card, table } from "./parts.js";
import { bytes, count, micros } from "./units.js";

const value = ({ value, unit }) => (unit === "bytes" ? bytes(value) : unit === "us" ? micros(value) : count(value));

export function render() {
  const { lanes } = state.snapshot.services;
  const figures = lanes.flatMap((lane) => lane.figures.map((figure) => [figure.title, lane.service, value(figure)]));
  return [
    h("h1", {}, "Services"),
    card(null, table("Lanes",
      [["Service"], ["In flight", "number"], ["Last minute", "number"], ["All", "number"], ["p50", "number"], ["p95", "number"], ["p99", "number"], ["Errors", "number"], ["Leases", "number"]],
      lanes.map((lane) => [
        [lane.service, h("span", { class: "soft" }, ` 0x${lane.lane.toString(16)}`)], count(lane.in_flight),
        `${count(lane.requests_last_minute)}/min`, count(lane.requests),
        ...[lane.p50_us, lane.p95_us, lane.p99_us].map((us) => (lane.requests ? micros(us) : "–")),
        count(lane.errors), count(lane.leases),
      ])),
      h("p", { class: "note" }, "p50, p95, p99: the time within which that share of requests was answered, waiting for another client’s compile included. A lease is a promise to publish a result.")),
    figures.length > 0 && card("Figures of one service", table("Figures of one service", [["Figure", "long"], ["Service"], ["Value", "number"]], figures)),
  ];
}
