"""What the page adds to the look of a report, and its script, which writes text only, never HTML."""

CSS = """
header { padding-bottom: 4px; } header h1 { font-size: clamp(1.5rem, 5vw, 2.1rem); letter-spacing: -.02em; }
#drop { display: grid; gap: 6px; justify-items: center; text-align: center; padding: 44px 16px; cursor: pointer;
  border: 2px dashed var(--line); border-radius: 14px; background: var(--card); position: relative; }
#drop:hover, #drop.over { border-color: var(--run0); background: var(--soft); }
#drop:has(input:focus-visible) { outline: 3px solid var(--run0); outline-offset: 2px; }
#drop input { position: absolute; inset: 0; opacity: 0; cursor: pointer; width: 100%; }
#drop span { color: var(--muted); font-size: .88rem; }
.wishes { display: flex; flex-wrap: wrap; gap: 8px 24px; margin: 12px 0; color: var(--muted); }
.wishes label { display: flex; gap: 8px; align-items: center; }
select, .job button, .job a { font: inherit; font-size: .9rem; color: var(--ink); background: var(--card);
  border: 1px solid var(--line); border-radius: 8px; padding: 5px 10px; cursor: pointer; }
.job a:hover, .job button:hover { border-color: var(--run0); text-decoration: none; }
.job .watch { background: var(--run0); border-color: var(--run0); color: var(--card); }
#jobs { list-style: none; margin: 12px 0 0; padding: 0; display: grid; gap: 10px; }
.job { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 14px; display: grid;
  gap: 6px 16px; grid-template-columns: minmax(0, 1fr) auto; align-items: center; }
.job b { overflow-wrap: anywhere; } .job p { margin: 0; grid-column: 1; font-size: .88rem; max-width: none;
  overflow-wrap: anywhere; }
.job progress { grid-column: 1 / -1; width: 100%; height: 8px; accent-color: var(--run0); }
.job div { grid-row: 1 / span 2; grid-column: 2; display: flex; flex-wrap: wrap; gap: 8px; justify-content: flex-end; }
.job.failed p { color: var(--bad); }
iframe { display: block; width: 100%; height: 88vh; border: 1px solid var(--line); border-radius: 12px;
  background: var(--card); margin-top: 12px; }
@media (max-width: 560px) { .job { grid-template-columns: minmax(0, 1fr); } .job div { grid-row: auto; grid-column: 1;
  justify-content: flex-start; order: 1; } .job progress { order: 2; } #drop { padding: 30px 12px; } }
"""

SCRIPT = """
"use strict";
const limits = JSON.parse(document.getElementById("data").textContent);
const drop = document.getElementById("drop"), chooser = drop.querySelector("input");
const list = document.getElementById("jobs"), nothing = document.getElementById("nothing");
const complaint = document.getElementById("error"), stage = document.getElementById("watch");
const mine = new Set(), rows = new Map();
let shown = null, timer = null;

function complain(text) { complaint.textContent = text; complaint.hidden = !text; }
function make(kind, text, name) {
  const element = document.createElement(kind);
  element.textContent = text; if (name) element.className = name;
  return element;
}
function watch(id, name) {
  shown = id;
  stage.hidden = false;
  stage.querySelector("iframe").title = name;
  stage.querySelector("iframe").src = `/results/${id}/player`;
  stage.scrollIntoView({ block: "start" });
}
// The frame is no higher than what is in it.
const frame = stage.querySelector("iframe");
function fit() {
  const main = frame.contentDocument && frame.contentDocument.querySelector("main");
  if (main) frame.style.height = `${Math.min(0.88 * innerHeight, main.getBoundingClientRect().bottom + 4)}px`;
}
frame.addEventListener("load", () => {
  fit();
  const video = frame.contentDocument.querySelector("video");
  if (video) video.addEventListener("loadedmetadata", fit);
});
async function remove(id) {
  const answer = await fetch(`/jobs/${id}`, { method: "DELETE" });
  if (!answer.ok && answer.status !== 404) complain((await answer.json()).error);
  if (shown === id) { stage.hidden = true; stage.querySelector("iframe").src = "about:blank"; shown = null; }
  refresh();
}
function told(job) {
  if (job.state === "receiving") return "is being sent";
  if (job.state === "waiting") return job.before ? `waits; ${job.before} before it` : "waits for its turn";
  if (job.state === "working") return `is worked on: ${Math.round(100 * job.share)} %`;
  const left = job.minutes_left === null ? "" : `; removed in ${job.minutes_left} min`;
  return job.message + left;
}
function row(job) {
  const item = make("li", "", "job " + job.state), buttons = make("div", "");
  item.append(make("b", job.name), buttons, make("p", told(job)));
  if (job.state === "working" || job.state === "waiting") {
    const bar = make("progress", ""); bar.max = 1; bar.value = job.share;
    bar.setAttribute("aria-label", job.name); item.append(bar);
  }
  if (job.state === "done") {
    const play = make("button", "Watch", "watch");
    play.addEventListener("click", () => watch(job.id, job.name));
    buttons.append(play);
    for (const [kind, text] of [["lines", "JSON lines"], ["table", "CSV"]]) {
      const link = make("a", text); link.href = `/results/${job.id}/${kind}`; link.download = "";
      buttons.append(link);
    }
  }
  const away = make("button", job.state === "done" || job.state === "failed" ? "Remove" : "Stop");
  away.setAttribute("aria-label", `${away.textContent} ${job.name}`);
  away.addEventListener("click", () => remove(job.id));
  buttons.append(away);
  return item;
}
async function refresh() {
  clearTimeout(timer);
  let wait = 10000;
  try {
    const jobs = (await (await fetch("/jobs")).json()).jobs;
    const ids = new Set(jobs.map(job => job.id));
    for (const [id, old] of rows) if (!ids.has(id)) { old.item.remove(); rows.delete(id); }
    let place = list.firstElementChild;
    for (const job of jobs) {
      const text = JSON.stringify(job), old = rows.get(job.id);
      if (old && old.text === text) { place = old.item.nextElementSibling; continue; }
      // A row is made anew only where something changed, so that the focus stays on its buttons.
      const item = row(job);
      if (old) { old.item.replaceWith(item); } else list.insertBefore(item, place);
      rows.set(job.id, { item, text });
      place = item.nextElementSibling;
      if (mine.has(job.id) && job.state === "done") { mine.delete(job.id); if (!shown) watch(job.id, job.name); }
    }
    nothing.hidden = jobs.length > 0;
    if (jobs.some(job => !["done", "failed"].includes(job.state))) wait = 500;
    if (complaint.dataset.lost) { delete complaint.dataset.lost; complain(""); }
  } catch (error) {
    complaint.dataset.lost = "1";
    complain("The page does not answer any more; is its program still running?");
  }
  timer = setTimeout(refresh, wait);
}
function send(file) {
  complain("");
  if (file.size > limits.most) { complain(`${file.name}: ${limits.large}`); return; }
  const every = document.getElementById("every"), track = document.getElementById("track");
  const query = new URLSearchParams();
  if (every && every.value) query.set("every", every.value);
  if (track && track.checked) query.set("track", "1");
  const request = new XMLHttpRequest(), item = make("li", "", "job"), bar = make("progress", "");
  const text = make("p", "is sent: 0 %"), buttons = make("div", ""), stop = make("button", "Stop");
  bar.max = 1; bar.value = 0; buttons.append(stop);
  item.append(make("b", file.name), buttons, text, bar);
  list.prepend(item); nothing.hidden = true;
  request.open("POST", "/jobs?" + query);
  request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
  request.upload.addEventListener("progress", event => {
    if (event.lengthComputable) bar.value = event.loaded / event.total;
    text.textContent = `is sent: ${Math.round(100 * bar.value)} %`;
  });
  request.addEventListener("load", () => {
    let answer = {};
    try { answer = JSON.parse(request.responseText); } catch (error) { answer.error = `answer ${request.status}`; }
    if (request.status === 201) { shown = null; mine.add(answer.id); }
    else complain(`${file.name}: ${answer.error}`);
  });
  request.addEventListener("error", () => complain(`${file.name}: the connection broke while it was sent`));
  request.addEventListener("loadend", () => { item.remove(); refresh(); });
  stop.addEventListener("click", () => request.abort());
  request.send(file);
}
chooser.addEventListener("change", () => { for (const file of chooser.files) send(file); chooser.value = ""; });
for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, event => {
  event.preventDefault(); drop.classList.add("over");
});
for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
drop.addEventListener("drop", event => {
  event.preventDefault();
  for (const file of event.dataTransfer.files) send(file);
});
refresh();
"""
