import { duration, moment } from "./units.js";

const REFRESH_MS = 2000;
const STATES = {
  up: "up",
  down: "does not answer",
  starting: "starting",
  pageless: "has no page",
};

const about = document.getElementById("about");
const notice = document.getElementById("notice");
const list = document.getElementById("backends");

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function card(backend) {
  const item = element("li", "", "backend");
  const head = element("div", "", "head");
  const state = backend.state in STATES ? backend.state : "down";
  head.append(element("h2", backend.name), element("span", STATES[state], `state ${state}`));
  if (state === "up" && Number.isInteger(backend.port)) {
    const link = element("a", "Open dashboard", "open");
    link.href = backend.page;
    link.rel = "noopener noreferrer";
    head.append(link);
  }
  const facts = document.createElement("dl");
  const rows = [
    ["service", `${backend.service} ${backend.version}`],
    ["pid", backend.pid],
    ["running for", duration(backend.uptime_seconds)],
    ["started", moment(backend.started_unix_ms)],
    ["endpoint", backend.endpoint],
  ];
  for (const [name, value] of rows) facts.append(element("dt", name), element("dd", String(value)));
  item.append(head, facts);
  return item;
}

function show(listing) {
  const own = listing.broker;
  about.textContent = `${own.program} · version ${own.version} · pid ${own.pid} · up ${duration(own.uptime_seconds)}`;
  notice.className = "";
  notice.textContent = listing.backends.length ? "" : "No backend is running. The first compile starts one.";
  // A link that is being used must not be replaced under the pointer.
  const shown = JSON.stringify(listing.backends.map(({ uptime_seconds, ...rest }) => rest));
  if (shown === list.dataset.shown) {
    listing.backends.forEach((backend, at) => {
      list.children[at].querySelectorAll("dd")[2].textContent = duration(backend.uptime_seconds);
    });
    return;
  }
  list.dataset.shown = shown;
  list.replaceChildren(...listing.backends.map(card));
}

async function refresh() {
  try {
    const reply = await fetch("/api/v1/backends", { cache: "no-store" });
    if (!reply.ok) throw new Error(`the broker answers ${reply.status}`);
    show(await reply.json());
  } catch (error) {
    notice.className = "bad";
    notice.textContent = `The broker cannot be reached (${error.message}). If it was started again, its page has another port.`;
  }
  setTimeout(refresh, REFRESH_MS);
}

refresh();
