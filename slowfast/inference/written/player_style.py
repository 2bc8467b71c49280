"""The look and the script of the player page. The script draws with text and numbers only, never with HTML of the data."""

CSS = """
:root { color-scheme: light dark; --ink: #1f2328; --muted: #667079; --line: #e3e6e9; --page: #f6f7f8; --card: #ffffff;
  --mark: #0072b2; --note: #fff6e0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --muted: #98a2ac; --line: #2f363d; --page: #14171a;
  --card: #1d2125; --mark: #56b4e9; --note: #3a3217; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
main { max-width: 1100px; margin: 0 auto; padding: 20px 16px 40px; }
h1 { font-size: 1.3rem; margin: 0 0 4px; overflow-wrap: anywhere; }
p { color: var(--muted); margin: 0 0 12px; }
.note { background: var(--note); color: var(--ink); padding: 8px 12px; border-radius: 6px; }
.stage { position: relative; background: #000; border-radius: 6px; overflow: hidden; }
.stage video { display: block; width: 100%; max-height: 70vh; }
.stage canvas { position: absolute; left: 0; top: 0; pointer-events: none; }
.bar { display: flex; flex-wrap: wrap; gap: 16px; align-items: center; margin: 10px 0; color: var(--muted); }
.bar output { font-variant-numeric: tabular-nums; }
.lanes { background: var(--card); border: 1px solid var(--line); border-radius: 6px; position: relative; max-height: 60vh;
  overflow: auto; }
.lane { display: grid; grid-template-columns: 190px 1fr; border-bottom: 1px solid var(--line); min-height: 26px; }
.lane > span { padding: 3px 8px; font-size: 13px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.track { position: relative; cursor: pointer; overflow: hidden; }
.lanes:empty { display: none; }
.track button { position: absolute; top: calc(50% - 8px); height: 16px; min-width: 5px; padding: 0; border: 0; border-radius: 3px;
  cursor: pointer; }
.track button:focus-visible { outline: 2px solid var(--ink); }
.track i { position: absolute; top: 0; bottom: 0; width: 2px; background: var(--mark); pointer-events: none; }
@media (max-width: 600px) { .lane { grid-template-columns: 120px 1fr; } .lane > span { white-space: normal;
  line-height: 1.25; overflow-wrap: anywhere; } }
"""

SCRIPT = """
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const video = document.querySelector("video"), canvas = document.querySelector("canvas");
const pen = canvas.getContext("2d"), clock = document.querySelector("output");
const switches = { boxes: document.getElementById("boxes"), names: document.getElementById("names") };
const lanes = document.querySelector(".lanes"), cursors = [];
const half = Math.min(data.frame / 2, 0.05) + 1e-6;

const colours = new Map(data.classes.map((name, i) => [name, data.colours[i]]));
function colour(name) { return colours.get(name) || "#dddddd"; }
function lastAt(moments, time) {
  let low = 0, high = moments.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (moments[middle].t <= time) low = middle + 1; else high = middle;
  }
  return low - 1;
}
function peopleAt(time) {
  const i = lastAt(data.moments, time + half), before = data.moments[i], after = data.moments[i + 1];
  if (before && Math.abs(time - before.t) <= half) return before.p.map(p => ({ p, b: p.b, found: true }));
  const shown = [], later = new Map((after ? after.p : []).map(p => [p.k, p]));
  for (const p of before ? before.p : []) {
    const next = later.get(p.k);
    if (next) {
      later.delete(p.k);
      const share = (time - before.t) / (after.t - before.t);
      shown.push({ p: share < 0.5 ? p : next, b: p.b.map((v, j) => v + share * (next.b[j] - v)), found: false });
    } else if (time - before.t <= data.every / 2) shown.push({ p, b: p.b, found: false });
  }
  for (const p of later.values()) if (after.t - time <= data.every / 2) shown.push({ p, b: p.b, found: false });
  return shown;
}
function draw() {
  const box = video.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
  canvas.style.width = box.width + "px";
  canvas.style.height = box.height + "px";
  canvas.width = Math.round(box.width * ratio);
  canvas.height = Math.round(box.height * ratio);
  pen.scale(ratio, ratio);
  // The picture inside the element, which may have bars beside it.
  const wide = video.videoWidth || data.width || 16, high = video.videoHeight || data.height || 9;
  const scale = Math.min(box.width / wide, box.height / high);
  const left = (box.width - wide * scale) / 2, top = (box.height - high * scale) / 2, time = video.currentTime;
  pen.font = "13px system-ui, sans-serif";
  pen.textBaseline = "top";
  if (switches.boxes.checked) for (const { p, b, found } of peopleAt(time)) {
    const x = left + b[0] * wide * scale, y = top + b[1] * high * scale;
    const best = p.a.length ? data.classes[p.a[0][0]] : "";
    pen.strokeStyle = colour(best);
    pen.lineWidth = 2.5;
    pen.setLineDash(found ? [] : [7, 5]);
    pen.strokeRect(x, y, (b[2] - b[0]) * wide * scale, (b[3] - b[1]) * high * scale);
    if (switches.names.checked) write(x, y, p.a.map(([c, s]) => [data.classes[c], s]), p.n);
  }
  const clip = data.clips[lastAt(data.clips, time + half)];
  if (clip && switches.names.checked) write(left + 8, top + 8, clip.a.map(([c, s]) => [data.classes[c], s]), null);
  clock.textContent = `${time.toFixed(2)} s of ${data.seconds.toFixed(2)} s`;
  for (const cursor of cursors) cursor.style.left = 100 * time / data.seconds + "%";
}
function write(x, y, named, number) {
  named.slice(0, 3).forEach(([name, score], i) => {
    const text = (number === null ? "" : number + ": ") + name + " " + score.toFixed(2);
    const width = pen.measureText(text).width + 8, at = Math.max(0, y - 18 * (Math.min(3, named.length) - i));
    pen.fillStyle = colour(name);
    pen.fillRect(x - 1, at, width, 18);
    pen.fillStyle = "#111";
    pen.fillText(text, x + 3, at + 2);
  });
}
function jump(time) { video.currentTime = time; draw(); }
for (const lane of data.lanes) {
  const row = document.createElement("div"), label = document.createElement("span");
  const track = document.createElement("div"), cursor = document.createElement("i");
  row.className = "lane"; track.className = "track";
  label.textContent = label.title = lane.name;
  for (const [start, end, score] of lane.spans) {
    const part = document.createElement("button");
    part.style.left = 100 * start / data.seconds + "%";
    part.style.width = 100 * Math.max(end - start, 0) / data.seconds + "%";
    part.style.background = colour(lane.action);
    part.title = `${lane.name}, ${start.toFixed(2)} to ${end.toFixed(2)} s, best score ${score.toFixed(2)}`;
    part.setAttribute("aria-label", part.title);
    part.addEventListener("click", event => { event.stopPropagation(); jump(start); });
    track.append(part);
  }
  track.addEventListener("click", event => {
    const box = track.getBoundingClientRect();
    jump(data.seconds * (event.clientX - box.left) / box.width);
  });
  track.append(cursor); cursors.push(cursor);
  row.append(label, track); lanes.append(row);
}
const missing = document.getElementById("missing");
video.addEventListener("error", () => { missing.hidden = false; });
document.querySelector("input[type=file]").addEventListener("change", event => {
  if (event.target.files.length) { video.src = URL.createObjectURL(event.target.files[0]); missing.hidden = true; }
});
if (!video.getAttribute("src")) missing.hidden = false;
function follow() {
  draw();
  if (!video.paused) requestAnimationFrame(follow);
}
video.addEventListener("play", follow);
for (const event of ["seeked", "pause", "loadeddata", "timeupdate"]) video.addEventListener(event, draw);
for (const box of Object.values(switches)) box.addEventListener("change", draw);
window.addEventListener("resize", draw);
draw();
"""
