// Each setting, and where its value comes from.

import { h } from "./dom.js";
import { report } from "./live.js";
import { card, table } from "./parts.js";
import { bytes, duration } from "./units.js";

export const load = () => report("/api/v1/settings");

const ORIGINS = { default: "built in", file: "settings file", environment: "environment" };

function shown(value, unit) {
  if (unit === "bytes") return bytes(Number(value));
  if (unit === "seconds") return value === "0" ? "never" : duration(Number(value)).replace(/ 0 (min|s|h)$/, "");
  return value;
}

export const render = ({ file, settings }) => [
  h("h1", {}, "Settings"),
  card(null, table("Settings in force",
    [["Setting"], ["Value", "time"], ["From", "time"], ["Default", "time"], ["Variable"], ["What for", "why"]],
    settings.map((setting) => [
      h("code", {}, setting.name), h("strong", {}, shown(setting.value, setting.unit)), ORIGINS[setting.origin] || setting.origin,
      h("span", { class: "soft" }, shown(setting.default_value, setting.unit)), setting.variable ? h("code", {}, setting.variable) : "–", setting.purpose,
    ])),
    h("p", { class: "note" }, "Settings file: ", h("code", {}, file), ". The environment goes over the file; a change is taken up by ", h("code", {}, "larder restart"), ".")),
];
