// What is kept.

import { h } from "./dom.js";
import { report } from "./live.js";
import { meter } from "./charts.js";
import { card, empty, facts, figure, table } from "./parts.js";
import { bytes, count, duration, micros, moment, percent } from "./units.js";

export async function load(name) {
  const [store, found] = await Promise.all([
    report("/api/v1/store"),
    name ? report(`/api/v1/store/${encodeURIComponent(name)}`).catch((error) => ({ error: error.message })) : null,
  ]);
  return { store, found, name };
}

export const toolbar = (refresh, name) =>
  h("form", { class: "toolbar", role: "search", submit: (event) => {
    event.preventDefault();
    location.hash = `#/store/${encodeURIComponent(event.target.elements.name.value.trim())}`;
  } },
  h("div", {}, h("label", { for: "name" }, "Action key or digest, or its start"),
    h("input", { type: "search", id: "name", name: "name", class: "mono", spellcheck: "false", autocomplete: "off", minlength: "6", maxlength: "64", required: true, value: name || "" })),
  h("button", {}, "Look up"));

const within = (age, index, ages) =>
  age.up_to_seconds ? `less than ${duration(age.up_to_seconds).replace(/ 0 .*/, "")}` : `more than ${duration(ages[index - 1].up_to_seconds).replace(/ 0 .*/, "")}`;

function results({ blobs, actions, error }, name) {
  if (error) return h("div", { class: "notice", role: "alert" }, h("p", {}, error));
  if (!blobs.length && !actions.length) return empty(`Nothing that is stored has a name that starts with ${name}.`, h("span", {}, "It may have been evicted, or was never stored."));
  return [
    actions.map((action) => card("Action result", facts([
      ["Key", h("code", {}, action.key)], ["Stored", moment(action.created_unix_ms)],
      ["Tool", `${micros(action.tool_us)}, exit code ${action.exit_code}`],
      ["Outputs", h("ul", { class: "list" }, action.outputs.map((output) => h("li", {}, `${output.name}, ${bytes(output.size)} `, h("a", { class: "mono", href: `#/store/${output.digest}` }, output.digest))))],
    ]))),
    blobs.map((blob) => card("Blob", facts([["SHA-256", h("code", {}, blob.digest)], ["Size", bytes(blob.size)], ["Last used", moment(blob.last_use_unix_ms)]]))),
  ];
}

export function render({ store, found, name }) {
  const usage = store.store;
  const ratio = store.blob_bytes ? store.named_bytes / store.blob_bytes : 0;
  return [
    found && h("div", { role: "region", "aria-label": "Found" }, results(found, name), h("p", {})),
    h("div", { class: "grid" },
      figure("Size", bytes(usage.bytes), meter(usage.limit_bytes ? usage.bytes / usage.limit_bytes : 0, `${percent(usage.bytes, usage.limit_bytes)} of the limit`), `${percent(usage.bytes, usage.limit_bytes)} of ${bytes(usage.limit_bytes)}`),
      figure("Blobs", count(usage.blobs), `for ${count(usage.actions)} action results`),
      figure("Dedup ratio", ratio ? `${ratio.toFixed(2)} ×` : "–", `results name ${bytes(store.named_bytes)} in ${bytes(store.blob_bytes)} of blobs`),
      figure("Evicted", count(usage.evicted_blobs), usage.damaged_blobs ? `${count(usage.damaged_blobs)} damaged and dropped` : "since the daemon started; none damaged")),
    usage.blobs ? h("div", { class: "grid" },
      card("By last use", table("Blobs by last use", [["Last used", "long"], ["Blobs", "number"], ["Size", "number"]],
        store.ages.map((age, index, ages) => [`${within(age, index, ages)} ago`, count(age.blobs), bytes(age.bytes)]))),
      card("Largest blobs", table("Largest blobs", [["SHA-256", "long"], ["Size", "number"], ["Last used", "time"]],
        store.largest.map((blob) => [h("a", { class: "mono", href: `#/store/${blob.digest}` }, `${blob.digest.slice(0, 16)}…`), bytes(blob.size), moment(blob.last_use_unix_ms)]))))
      : empty("Nothing is stored yet.", h("code", {}, "larder gcc -c hello.c")),
    h("p", { class: "note" }, `In ${usage.folder}`),
  ];
}
