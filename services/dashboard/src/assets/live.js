// What the daemon tells, once a second at most, and what to say when it tells nothing.

import { clock } from "./units.js";

// A daemon that has gone is noticed at once; this is for one that hangs. Without news one is told each five seconds.
const SILENCE_MS = 20000;
const AGAIN_MS = 2000;

export const state = { snapshot: null, staleSince: 0 };

const heard = new Set();
export const onNews = (listener) => heard.add(listener);

const badge = () => document.getElementById("live");

function lost() {
  if (!state.staleSince) state.staleSince = Date.now();
  const text = `stale since ${clock(state.staleSince)}: the daemon does not answer. Next: larder start`;
  if (badge().textContent !== text) badge().textContent = text;
  badge().className = "stale";
}

export function listen() {
  const events = new EventSource("/api/v1/events");
  let watch = 0;
  const again = () => {
    clearTimeout(watch);
    events.close();
    lost();
    setTimeout(listen, AGAIN_MS);
  };
  const wait = () => {
    clearTimeout(watch);
    watch = setTimeout(again, SILENCE_MS);
  };
  wait();
  events.onmessage = (event) => {
    wait();
    const back = state.staleSince > 0;
    state.snapshot = JSON.parse(event.data);
    state.staleSince = 0;
    if (badge().className !== "on") badge().textContent = "live";
    badge().className = "on";
    heard.forEach((listener) => listener(back));
  };
  events.onerror = again;
}

// A report, or an error with a sentence for people.
export async function report(path) {
  let reply;
  try {
    reply = await fetch(path, { cache: "no-store" });
  } catch {
    throw new Error("The daemon does not answer. Start it with larder start; this page finds it again by itself.");
  }
  const body = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(body.error || `The daemon answers ${reply.status}.`);
  return body;
}
