// What can be done from here. Each asks first.

import { at, h } from "./dom.js";
import { report } from "./live.js";
import { bytes, plural } from "./units.js";

async function act(path) {
  const { token } = await report("/api/v1/token");
  const reply = await fetch(`/api/v1/actions/${path}`, { method: "POST", headers: { "X-Larder-Token": token } });
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(body.error || `The daemon answers ${reply.status}.`);
  return body;
}

function notice(text, kind) {
  at("notices").replaceChildren(h("div", { class: `notice ${kind}`, role: "status" }, h("p", {}, text)));
}

function ask(title, effect, word, path, done) {
  const dialog = at("ask");
  const close = () => dialog.close();
  const go = h("button", { type: "button", class: "danger", click: async () => {
    go.disabled = true;
    try {
      notice(done(await act(path)), "calm");
    } catch (error) {
      notice(`Failed to ${word.toLowerCase()}: ${error.message}`, "");
    }
    close();
  } }, word);
  dialog.replaceChildren(h("h2", { id: "ask-title" }, title), ...[effect].flat().map((part) => h("p", {}, part)),
    h("div", { class: "row end" }, h("button", { type: "button", click: close }, "Cancel"), go));
  if (dialog.open) return;
  const opener = document.activeElement;
  dialog.onclose = () => opener?.isConnected && opener.focus();
  dialog.showModal();
}

const pause = () => ask("Pause caching?", "Every tool will run without the cache, and nothing is stored, until you resume or the daemon ends.", "Pause", "pause", () => "Caching is paused.");

const resume = () => ask("Resume caching?", "Results are looked up and stored again from the next call on.", "Resume", "resume", () => "Caching goes on.");

const stop = () => ask("Stop the daemon?", "Running requests are answered first. The next build starts it again; what is stored stays.", "Stop", "stop", () => "The daemon is stopping. Start it with larder start.");

const removed = (effect) => `${plural(effect.records, "record", "records")} and ${plural(effect.blobs, "blob", "blobs")}, ${bytes(effect.bytes)}`;

// Asked again for each service that is chosen.
async function clear(service = "") {
  try {
    const of = service && `service=${service}`;
    const [{ services }, effect] = await Promise.all([report("/api/v1/actions"), act(`clear?preview=true&${of}`)]);
    const kept = effect.blobs_in_use ? ` ${plural(effect.blobs_in_use, "blob stays", "blobs stay")}, as a client is using them.` : "";
    const unowned = effect.records_unowned ? ` ${plural(effect.records_unowned, "record stays", "records stay")}: an earlier version stored them, and did not note whose they are.` : "";
    const choice = h("select", { id: "clear-of", change: () => clear(choice.value) },
      ["", ...services].map((name) => h("option", { value: name, selected: name === service }, name || "all services")));
    ask("Clear the cache?", [h("label", { for: "clear-of" }, "Of ", choice), `This removes ${removed(effect)} in all.${kept}${unowned} It cannot be undone.`],
      "Clear", `clear?${of}`, (cleared) => `Cleared: ${removed(cleared)}.`);
    if (service) choice.focus();
  } catch (error) {
    notice(`Failed to look at what clearing would remove: ${error.message}`, "");
  }
}

export const controls = (paused) =>
  h("section", { class: "row", "aria-label": "Actions" },
    h("button", { type: "button", id: "pause", click: paused ? resume : pause }, paused ? "Resume caching…" : "Pause caching…"),
    h("button", { type: "button", id: "clear", click: () => clear() }, "Clear the cache…"),
    h("button", { type: "button", id: "stop", class: "danger", click: stop }, "Stop the daemon…"));
