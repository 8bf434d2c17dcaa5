// The totals as numbers with small plots of the last minute, and the nodes. Called by admin.js with each
// snapshot. It must not ask the server.

import { el } from "./dom.js";

const KEPT = 60; // snapshots: a minute
const WIDTH = 200;
const HEIGHT = 40;
const SVG = "http://www.w3.org/2000/svg";

export const bytes = (n) => n > 2 ** 30 ? `${(n / 2 ** 30).toFixed(2)} GiB` : n > 2 ** 20 ? `${(n / 2 ** 20).toFixed(1)} MiB` : `${Math.round(n / 1024)} KiB`;
export const rate = (n) => `${n < 10 ? n.toFixed(1) : Math.round(n)}/s`;
export const count = (n) => n.toLocaleString();
const times = ({ p50, p95, p99 }) => [p50, p95, p99].map((ms) => ms < 10 ? ms.toFixed(1) : Math.round(ms)).join("/");

// Name, what of a load it shows, as text, and what of it is plotted.
const FIGURES = [
  ["Sessions", (load) => count(load.sessions), (load) => load.sessions],
  ["Users and guests", (load) => `${count(load.users)} + ${count(load.guests)}`, (load) => load.users + load.guests],
  ["Live rooms", (load) => count(load.rooms), (load) => load.rooms],
  ["Messages", (load) => rate(load.messages_per_s), (load) => load.messages_per_s],
  ["Deliveries", (load) => rate(load.deliveries_per_s), (load) => load.deliveries_per_s],
  ["Fan-out, p50/95/99 ms", (load) => times(load.fanout_ms), (load) => load.fanout_ms.p95],
  ["Store, p50/95/99 ms", (load) => times(load.store_ms), (load) => load.store_ms.p95],
  ["Waiting for readers", (load) => bytes(load.queued_bytes), (load) => load.queued_bytes],
  ["Slow readers", (load) => count(load.slow_readers), (load) => load.slow_readers],
  ["Refused so far", (load) => count(load.refused), (load) => load.refused],
  ["Memory", (load) => bytes(load.rss_bytes), (load) => load.rss_bytes],
];

export class Plots {
  #kept = FIGURES.map(() => []);

  constructor() {
    this.cells = FIGURES.map(([name]) => {
      const value = el("dd", { text: "…" });
      const line = document.createElementNS(SVG, "polyline");
      for (const [key, to] of [["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "2"], ["vector-effect", "non-scaling-stroke"]]) line.setAttribute(key, to);
      const plot = document.createElementNS(SVG, "svg");
      plot.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
      plot.setAttribute("preserveAspectRatio", "none");
      plot.setAttribute("aria-hidden", "true");
      plot.append(line);
      return { box: el("div", { class: "plot" }, el("dt", { text: name }), value, el("dd", {}, plot)), value, line };
    });
    this.element = el("section", { "aria-labelledby": "totals" }, el("h2", { id: "totals", text: "All nodes, now" }),
      el("dl", { class: "plots" }, ...this.cells.map(({ box }) => box)));
    this.nodes = el("tbody");
    const heads = ["Node", "Version", "Up since", "Bus", "Sessions", "Rooms", "Messages", "Deliveries", "Waiting", "CPU s", "Memory"];
    this.table = el("section", { "aria-labelledby": "nodes" }, el("h2", { id: "nodes", text: "Nodes" }),
      el("div", { class: "wide", tabindex: "0", role: "region", "aria-labelledby": "nodes" }, el("table", {},
        el("thead", {}, el("tr", {}, ...heads.map((text, at) => el("th", { scope: "col", text, class: at > 3 && "number" })))), this.nodes)));
  }

  show({ totals, nodes, missing = [] }) {
    FIGURES.forEach(([, text, number], at) => {
      const kept = this.#kept[at];
      kept.push(number(totals));
      if (kept.length > KEPT) kept.shift();
      const top = Math.max(...kept, 1e-9);
      const { value, line } = this.cells[at];
      value.textContent = text(totals);
      line.setAttribute("points", kept.map((one, x) =>
        `${(WIDTH - (kept.length - 1 - x) * (WIDTH / (KEPT - 1))).toFixed(1)},${(HEIGHT - 2 - (one / top) * (HEIGHT - 4)).toFixed(1)}`).join(" "));
    });
    this.nodes.replaceChildren(...nodes.map((node) => el("tr", {},
      el("th", { scope: "row", text: node.node }), el("td", { text: node.version }), el("td", { text: new Date(node.started_at).toLocaleString() }), el("td", { text: node.bus }),
      ...[count(node.sessions), count(node.rooms), rate(node.messages_per_s), rate(node.deliveries_per_s), bytes(node.queued_bytes), node.cpu_s.toFixed(1), bytes(node.rss_bytes)]
        .map((text) => el("td", { class: "number", text })))),
    ...missing.map((name) => el("tr", {}, el("th", { scope: "row", text: name }), el("td", { colspan: "10", text: "did not answer within a second" }))));
  }
}
