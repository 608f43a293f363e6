// Numbers as people read them.

export const count = (number) => number.toLocaleString("en");

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (number >= 1024 && unit + 1 < units.length) {
    number /= 1024;
    unit += 1;
  }
  return `${unit && number < 100 ? Number(number.toPrecision(3)) : Math.round(number)} ${units[unit]}`;
}

export function micros(us) {
  if (us < 0) return `−${micros(-us)}`;
  if (us < 1e3) return `${us} µs`;
  if (us < 1e6) return `${Number((us / 1e3).toPrecision(3))} ms`;
  if (us < 60e6) return `${Number((us / 1e6).toPrecision(3))} s`;
  return duration(Math.floor(us / 1e6));
}

export function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor(seconds / 3600) % 24;
  const minutes = Math.floor(seconds / 60) % 60;
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  if (minutes) return `${minutes} min ${seconds % 60} s`;
  return `${seconds} s`;
}

// Rounded down: 100 % says that nothing missed.
export const percent = (part, whole) => (whole ? `${Math.floor((part * 1000) / whole) / 10} %` : "–");

export const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");

export const moment = (ms) => (ms ? new Date(ms).toLocaleString("en-GB") : "–");

export const date = (day) => new Date(day * 86400e3).toISOString().slice(0, 10);

export const plural = (number, one, many) => `${count(number)} ${number === 1 ? one : many}`;
