// The overview without reloading: asks for what has changed, puts it in its place, and says so when it is old.
"use strict";

const EVERY = 2000;
const OLD = 10000;
const PATIENCE = 8000;
const COLOURS = { delivered: "#4ADE80", sent: "#00F0FF", later: "#FACC15", unknown: "#9CA3AF", failed: "#F95757" };
const live = document.getElementById("live");
const stale = document.getElementById("stale");
const charts = new Map();
let heard = performance.now();
let signedOut = false;

// Changes what differs and leaves the rest, so that whoever reads or has the focus is not disturbed.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.classList.contains("chart")) return;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  children(old, fresh);
}

function children(old, fresh) {
  const wanted = [...fresh.childNodes];
  const there = [...old.childNodes];
  wanted.forEach((node, at) => (there[at] ? morph(there[at], node) : old.append(node)));
  there.slice(wanted.length).forEach((node) => node.remove());
}

// Each state is drawn over the sum of itself and of those above it.
function stacked(told, channel) {
  const states = Object.keys(COLOURS);
  const sums = [];
  let above = new Array(told.minutes).fill(0);
  for (const state of [...states].reverse()) {
    above = above.map((sum, at) => sum + told.channels[channel][state][at]);
    sums.unshift(above);
  }
  return [Array.from({ length: told.minutes }, (_, at) => told.start + 60 * at), ...sums];
}

function size(box) {
  return { width: box.clientWidth, height: box.clientHeight };
}

function draw(told) {
  for (const box of live.querySelectorAll(".chart")) {
    const data = stacked(told, box.dataset.channel);
    const known = charts.get(box);
    if (known) {
      known.setData(data);
      continue;
    }
    const axis = { stroke: "#B4B9BF", grid: { stroke: "#43474C", width: 1 }, ticks: { show: false } };
    const series = Object.values(COLOURS).map((colour) => ({
      fill: colour, width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.8, 40], align: 1 }),
    }));
    charts.set(box, new uPlot({
      ...size(box), series: [{}, ...series], legend: { show: false }, cursor: { show: false }, select: { show: false },
      scales: { x: { range: (_, first, last) => [first, last + 60] }, y: { range: (_, least, most) => [0, Math.max(5, most)] } },
      axes: [{ ...axis, size: 30, values: (_, splits) => splits.map((at) => new Date(at * 1000).toISOString().slice(11, 16)) },
        { ...axis, size: 44, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000] }],
    }, data, box));
  }
}

function say() {
  const age = performance.now() - heard;
  stale.hidden = !signedOut && age < OLD;
  live.classList.toggle("old", !stale.hidden);
  const words = signedOut ? stale.dataset.signedOut : stale.dataset.stale.replace("{seconds}", Math.round(age / 1000));
  if (!stale.hidden && stale.textContent !== words) stale.textContent = words;
}

async function look() {
  try {
    const answer = await fetch(live.dataset.source, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    signedOut = answer.status === 401;
    if (!answer.ok) return;
    const told = await answer.json();
    const fresh = document.createElement("div");
    fresh.innerHTML = told.html;
    children(live, fresh);
    draw(told.charts);
    heard = performance.now();
  } catch {
    // Said by its age.
  } finally {
    say();
    if (!signedOut) setTimeout(look, EVERY);
  }
}

new ResizeObserver(() => charts.forEach((chart, box) => chart.setSize(size(box)))).observe(live);
setInterval(say, 1000);
look();
