// Which page is shown, and when it is drawn anew.

import { at, h, show } from "./dom.js";
import { listen, onNews, state } from "./live.js";
import { failed, sentencesOf } from "./parts.js";
import * as activity from "./activity.js";
import * as builds from "./builds.js";
import * as health from "./health.js";
import * as misses from "./misses.js";
import * as overview from "./overview.js";
import * as services from "./services.js";
import * as settings from "./settings.js";
import * as store from "./store.js";

const PAGES = [
  ["overview", "Overview", overview],
  ["builds", "Builds", builds],
  ["misses", "Misses", misses],
  ["services", "Services", services],
  ["store", "Store", store],
  ["activity", "Activity", activity],
  ["health", "Health", health],
  ["settings", "Settings", settings],
];
// How often a page that has a report of its own asks for it again.
const REPORT_MS = 3000;

let shown = { id: "", argument: "", view: overview, report: null, asked: 0, failedAt: 0 };

function route() {
  const [, id = "overview", argument = ""] = location.hash.split("/");
  const known = PAGES.find(([name]) => name === id) || PAGES[0];
  return { id: known[0], title: known[1], view: known[2], argument: decodeURIComponent(argument) };
}

function frame() {
  const main = at("main");
  if (shown.view.toolbar) {
    const body = h("div", { id: "body" });
    main.replaceChildren(h("h1", {}, shown.title), shown.view.toolbar(draw, shown.argument), body);
  } else {
    main.replaceChildren(h("div", { id: "body" }));
  }
}

function draw() {
  if (!state.snapshot || (shown.view.load && !shown.report)) return;
  show(at("body"), ...[shown.view.render(shown.report, sentencesOf(state.snapshot.stats))].flat(9).filter(Boolean));
}

async function ask() {
  const asking = shown;
  asking.asked = Date.now();
  try {
    const report = await asking.view.load(asking.argument);
    if (asking !== shown) return;
    if (asking.failedAt) at("notices").replaceChildren();
    Object.assign(shown, { report, failedAt: 0 });
    draw();
  } catch (error) {
    if (asking !== shown) return;
    asking.failedAt ||= Date.now();
    // What was shown stays; the badge says since when.
    if (!asking.report) show(at("body"), failed(error, asking.failedAt));
  }
}

function open() {
  const next = route();
  const first = !shown.id;
  shown = { ...next, report: null, asked: 0, failedAt: 0 };
  document.title = `${next.title} · larder`;
  at("nav").replaceChildren(...PAGES.map(([id, title]) =>
    h("li", {}, h("a", { href: `#/${id}`, "aria-current": id === next.id ? "page" : false }, title))));
  frame();
  draw();
  if (next.view.load) ask();
  // A reader of the screen is taken to what is new, but for the first page.
  if (!first) at("main").focus();
}

function surroundings() {
  const { status } = state.snapshot;
  at("about").textContent = `${status.version} · pid ${status.pid}${status.state === "ready" ? "" : ` · ${status.state}`}`;
  at("broker").hidden = !status.broker_page;
  if (status.broker_page) at("broker").href = status.broker_page;
  const warnings = status.warnings.map((text) => h("div", { class: "notice" }, h("p", {}, text)));
  let place = at("warnings");
  if (!place) at("notices").before((place = h("div", { id: "warnings" })));
  show(place, ...warnings);
}

onNews((back) => {
  surroundings();
  if (!shown.view.load || !shown.report) draw();
  if (shown.view.load && (back || Date.now() - shown.asked >= REPORT_MS)) ask();
});
addEventListener("hashchange", () => {
  // The link to skip to the content is no page.
  if (location.hash === "#main") at("main").focus();
  else open();
});
open();
listen();
