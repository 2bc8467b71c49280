"""The look of a report: one style sheet, calm, for light and dark, from a phone to a wide screen."""

CSS = """
:root { color-scheme: light dark; --ink: #1f2328; --muted: #667079; --line: #e3e6e9; --page: #f6f7f8; --card: #ffffff;
  --run0: #0072b2; --run1: #c9540a; --good: #157a57; --bad: #b42318; --warn: #fff6e0; --soft: #eef4f9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ea; --muted: #98a2ac; --line: #2f363d; --page: #14171a;
  --card: #1c2024; --run0: #58b0e8; --run1: #f0894a; --good: #5cc79c; --bad: #f2857b; --warn: #33290f;
  --soft: #202a33; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 0 16px 64px; }
header { padding: 40px 0 8px; }
h1 { font-size: 1.05rem; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 52px 0 4px; letter-spacing: -.01em; }
h4 { font-size: .88rem; font-weight: 600; margin: 0 0 8px; overflow-wrap: anywhere; }
p { max-width: 70ch; margin: 4px 0 16px; }
p, li, .muted { color: var(--muted); } b { color: var(--ink); font-weight: 600; }
.hero { display: flex; flex-wrap: wrap; gap: 8px 40px; align-items: flex-end; margin: 12px 0 16px; }
.hero .big { font-size: clamp(3rem, 11vw, 4.6rem); line-height: 1; font-weight: 650; letter-spacing: -.03em;
  font-variant-numeric: tabular-nums; }
.hero .what { color: var(--muted); padding-bottom: 6px; max-width: 56ch; min-width: 0; } .what { overflow-wrap: anywhere; }
.hero.two { gap: 8px 56px; } p.what { margin-bottom: 12px; }
.run0, th.run0 { color: var(--run0); } .run1, th.run1 { color: var(--run1); }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(136px, 1fr)); margin: 0; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px; }
.tiles dt { color: var(--muted); font-size: .82rem; } .tiles dd { margin: 0; font-size: 1.2rem; font-weight: 600;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.note { background: var(--warn); color: var(--ink); border-radius: 10px; padding: 10px 14px; margin: 12px 0;
  max-width: none;
  overflow-wrap: anywhere; }
nav { display: flex; gap: 4px 18px; flex-wrap: wrap; padding: 16px 0 0; font-size: .9rem; }
a { color: var(--run0); text-decoration: none; } a:hover { text-decoration: underline; }
.plots, .pair { display: grid; gap: 16px; margin: 16px 0; align-items: start;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); }
.plot { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px; margin: 0;
  min-width: 0; }
.plot svg { display: block; width: 100%; height: auto; max-width: 620px; margin: 0 auto; }
.plot.tall svg { max-width: 520px; } .plot.crowded { overflow-x: auto; } .pair > .plots { margin: 0; } .pair > * { min-width: 0; }
.table { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 12px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 500; color: var(--muted); font-size: .8rem; } tr:last-child > * { border-bottom: 0; }
th:first-child, td:first-child { text-align: left; white-space: normal; color: var(--ink); }
td.bar { width: 20%; min-width: 60px; } td.bar span { display: block; height: 7px; border-radius: 4px; margin: 3px 0;
  background: var(--run0); min-width: 2px; } td.bar span + span { background: var(--run1); }
td.curve { padding-block: 3px; } td.curve svg { display: block; width: 74px; height: 30px; margin-left: auto; }
td.curve path { fill: none; stroke: var(--run0); stroke-width: 1.6; vector-effect: non-scaling-stroke; }
td.curve path.second { stroke: var(--run1); } td.curve rect { fill: var(--soft); }
.up { color: var(--good); } .down { color: var(--bad); }
.gallery { display: grid; gap: 16px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 420px), 1fr)); }
.gallery:has(.shots2) { grid-template-columns: repeat(auto-fill, minmax(min(100%, 640px), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px; min-width: 0; }
.card figure { margin: 0; min-width: 0; } .shots2 .shots { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
figcaption { font-size: .82rem; color: var(--muted); margin-top: 8px; } figcaption ul { margin: 4px 0 0; padding: 0;
  list-style: none; } figcaption li { color: var(--ink); overflow-wrap: anywhere; }
figcaption li::before { display: inline-block; width: 1.3em; font-weight: 700; } li.miss::before { content: "–";
  color: var(--bad); }
li.false::before { content: "+"; color: var(--bad); }
.gallery.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 236px), 1fr)); }
.still { display: block; width: 100%; height: auto; border-radius: 8px; background: var(--soft); }
.answers li { display: flex; justify-content: space-between; gap: 10px; color: var(--muted); }
.answers li::before { display: none; } .answers span { font-variant-numeric: tabular-nums; }
.answers li.hit { color: var(--good); font-weight: 600; }
.table.long { max-height: 36rem; overflow: auto; } .table.long thead th { position: sticky; top: 0;
  background: var(--card); }
th.name, td.name { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 6em; }
.clip { display: block; position: relative; cursor: pointer; border-radius: 8px; overflow: hidden;
  background: var(--soft); }
.clip img, .clip .strip { display: block; position: absolute; inset: 0; width: 100%; height: 100%; }
.clip input { position: absolute; opacity: 0; }
.clip .strip { visibility: hidden; background-size: calc(var(--frames) * 100%) 100%; background-repeat: no-repeat; }
.clip input:checked ~ .strip { visibility: visible; animation: play 1.4s steps(var(--frames), jump-none) infinite; }
.clip:has(input:focus-visible) { outline: 3px solid var(--run0); outline-offset: 2px; }
.clip::after { content: "▶\\FE0E"; position: absolute; right: 8px; bottom: 8px; width: 26px; height: 26px;
  border-radius: 50%;
  background: rgb(0 0 0 / .55); color: #fff; font-size: 11px; line-height: 26px; text-align: center;
  text-indent: 2px; }
.clip:has(input:checked)::after { content: "❚❚"; text-indent: 0; font-size: 9px; }
@media (hover: hover) and (prefers-reduced-motion: no-preference) { .clip:hover .strip { visibility: visible;
  animation: play 1.4s steps(var(--frames), jump-none) infinite; } .clip:hover::after { visibility: hidden; } }
@keyframes play { from { background-position: 0 0; } to { background-position: 100% 0; } }
footer { margin-top: 56px; font-size: .85rem; color: var(--muted); border-top: 1px solid var(--line);
  padding-top: 14px;
  overflow-wrap: anywhere; }
@media (max-width: 760px) { .shots2 .shots { grid-template-columns: 1fr; } }
@media (max-width: 560px) { table { font-size: .82rem; } th, td { padding: 7px 5px; } th { font-size: .74rem;
  white-space: normal; } th.run0, th.run1 { overflow-wrap: anywhere; }
  th:first-child, td:first-child { padding-left: 10px; } td:first-child { overflow-wrap: break-word; min-width: 5em; }
  #costs td, #costs th { padding-inline: 4px; } td.curve svg { width: 52px; }
  .wide, td.bar, th.bar { display: none; } h2 { margin-top: 40px; }
  .plot { padding: 8px; } .plot.crowded svg { min-width: 540px; } header { padding-top: 24px; } }
"""
