"use strict";

const OUTCOMES = [
  ["hit", "hits"],
  ["miss", "misses"],
  ["uncacheable", "uncacheable"],
  ["error", "errors"],
  ["bypass", "bypasses"],
];

const at = (id) => document.getElementById(id);

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit + 1 < units.length) {
    count /= 1024;
    unit += 1;
  }
  return `${unit && count < 100 ? count.toPrecision(3) : Math.round(count)} ${units[unit]}`;
}

function micros(us) {
  if (us < 1e3) return `${us} µs`;
  if (us < 1e6) return `${(us / 1e3).toPrecision(3)} ms`;
  if (us < 60e6) return `${(us / 1e6).toPrecision(3)} s`;
  return duration(Math.floor(us / 1e6));
}

function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

const sum = (services, field) => services.reduce((total, service) => total + service[field], 0);
const count = (number) => number.toLocaleString("en");

function showSummary(status, stats) {
  const hits = sum(stats.services, "hits");
  const asked = hits + sum(stats.services, "misses");
  at("rate").textContent = asked ? `${Math.floor((hits * 1000) / asked) / 10} %` : "–";
  at("rate-note").textContent = asked
    ? `${count(hits)} of ${count(asked)} cacheable requests came from the cache`
    : "no cacheable request yet";
  at("avoided").textContent = micros(sum(stats.services, "avoided_us"));
  at("overhead").textContent = `larder's own time: ${micros(sum(stats.services, "overhead_us"))}`;
  const store = status.store || { bytes: 0, limit_bytes: 0, blobs: 0, actions: 0, evicted_blobs: 0, damaged_blobs: 0, folder: "" };
  at("store").textContent = bytes(store.bytes);
  at("store-meter").value = store.limit_bytes ? store.bytes / store.limit_bytes : 0;
  const notes = [`of ${bytes(store.limit_bytes)}; ${count(store.actions)} results, ${count(store.blobs)} blobs`];
  if (store.evicted_blobs) notes.push(`${count(store.evicted_blobs)} evicted`);
  if (store.damaged_blobs) notes.push(`${count(store.damaged_blobs)} damaged and dropped`);
  at("store-note").textContent = `${notes.join(", ")}, in ${store.folder}`;
  at("memory").textContent = bytes(status.memory_bytes);
  at("daemon-note").textContent =
    `memory; ${status.state}, up ${duration(Math.floor(status.uptime_ms / 1000))}, ${status.connections} connected`;
  at("about").textContent = `version ${status.version} · pid ${status.pid} · broker ${status.broker}`;
  at("warnings").replaceChildren(...status.warnings.map((warning) => element("li", warning)));
  const broker = at("broker");
  broker.hidden = !status.broker_page;
  if (status.broker_page) broker.href = status.broker_page;
}

function serviceRow(service) {
  const row = element("div", "", "service");
  const total = OUTCOMES.reduce((all, [, field]) => all + service[field], 0);
  const bar = element("div", "", "bar");
  bar.setAttribute("role", "img");
  bar.setAttribute("aria-label", OUTCOMES.map(([, field]) => `${service[field]} ${field}`).join(", "));
  const legend = element("ul", "", "legend");
  for (const [outcome, field] of OUTCOMES) {
    if (service[field]) {
      const part = element("span", "", outcome);
      part.style.width = `${(service[field] * 100) / total}%`;
      bar.append(part);
    }
    legend.append(element("li", `${count(service[field])} ${field}`, outcome));
  }
  row.append(element("h3", service.service), bar, legend);
  return row;
}

function reasonRows(service) {
  return service.reasons.map((reason) => {
    const row = document.createElement("tr");
    row.append(
      element("td", service.service),
      element("td", reason.outcome, `outcome ${reason.outcome}`),
      element("td", count(reason.count), "number"),
      element("td", reason.sentence, "why"),
    );
    return row;
  });
}

function recordRow(record, sentences) {
  const row = document.createElement("tr");
  const why = element("td", sentences.get(record.reason) || record.reason, "why");
  if (record.detail) why.append(" ", element("span", record.detail, "detail"));
  row.append(
    element("td", new Date(record.at_unix_ms).toLocaleTimeString("en-GB"), "time"),
    element("td", record.outcome, `outcome ${record.outcome}`),
    element("td", record.tool),
    element("td", record.unit || record.source),
    why,
    element("td", micros(record.overhead_us), "number"),
    element("td", record.tool_us ? micros(record.tool_us) : "–", "number"),
    element("td", record.bytes ? bytes(record.bytes) : "–", "number"),
  );
  return row;
}

function show({ status, stats }) {
  showSummary(status, stats);
  at("services").replaceChildren(...stats.services.map(serviceRow));
  at("reasons").replaceChildren(...stats.services.flatMap(reasonRows));
  const sentences = new Map(stats.services.flatMap((service) => service.reasons.map((reason) => [reason.id, reason.sentence])));
  at("records").replaceChildren(...stats.records.map((record) => recordRow(record, sentences)));
  at("empty").hidden = stats.records.length > 0;
  at("records-table").hidden = stats.records.length === 0;
}

function live(text, state) {
  at("live").textContent = text;
  at("live").className = state;
}

function listen() {
  const events = new EventSource("/api/v1/events");
  events.onmessage = (event) => {
    show(JSON.parse(event.data));
    live("live", "on");
  };
  events.onerror = () => {
    live("connection lost: the daemon has ended, or was started again under another address", "lost");
    // A browser gives up on some failures; this does not.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

listen();
