// What surrounds the daemon.

import { h } from "./dom.js";
import { report } from "./live.js";
import { card, facts, figure, table } from "./parts.js";
import { bytes, duration, micros, moment } from "./units.js";

export const load = () => report("/api/v1/health");

const WORDS = { ok: "✓ ok", note: "△ note", problem: "✕ problem" };

export function render({ checks, status, cpu_us, log, log_file }) {
  const bad = checks.filter((check) => check.state === "problem").length;
  return [
    h("h1", {}, bad ? `${bad} of ${checks.length} checks found a problem` : "All is as it should be"),
    h("div", { class: "grid" },
      figure("Memory", bytes(status.memory_bytes), "resident, of the daemon"),
      figure("Processor", micros(cpu_us), `in ${duration(Math.floor(status.uptime_ms / 1000))}`),
      figure("Clients", String(status.connections), "connected now")),
    card("Checks", table("Checks", [["Check"], ["State"], ["Found", "long"], ["What to do", "why"]],
      checks.map((check) => [`${check.group} ${check.name}`, h("span", { class: `state ${check.state}` }, WORDS[check.state] || check.state), check.found, check.hint || "–"])),
      h("p", { class: "note" }, "The caller’s side, such as PATH and Go: ", h("code", {}, "larder doctor"))),
    card("Where", facts([
      ["Broker", [status.broker, status.broker_page && [" · ", h("a", { href: status.broker_page, rel: "noopener noreferrer" }, status.broker_page)]]],
      ["Route", `client → ${status.broker} → ${status.endpoint}`], ["Version", status.version], ["Process", String(status.pid)],
      ["Started", moment(status.started_unix_ms)], ["State", status.state],
    ])),
    card("Log", h("p", { class: "note" }, log_file), h("pre", { class: "log mono", tabindex: "0", role: "region", "aria-label": "Latest lines of the log" }, log.join("\n") || "empty")),
  ];
}
