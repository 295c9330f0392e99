/** The colours of everything of ours that people see, as custom properties, on a light ground. */
export const LIGHT = `  --ground: #f4f6f8;
  --panel: #ffffff;
  --text: #1a1f25;
  --muted: #55606b;
  --line: #d5dbe1;
  --control: #7a8590;
  --link: #0a5aa8;
  --accent: #0a5aa8;
  --on-accent: #ffffff;
  --danger: #b3261e;
  --good: #176639;
  --code: #eef1f4;
  --read: #d6e8fa;
  --use: #cfe9e4;
  --edit: #f7e3b5;
  --manage: #dfd3f3;
  --deny: #f6d3d0;
`

/** The same on a dark one. */
export const DARK = `  --ground: #14181c;
  --panel: #1d2329;
  --text: #e8ebee;
  --muted: #a9b3bd;
  --line: #39424b;
  --control: #7f8b97;
  --link: #86bdf7;
  --accent: #86bdf7;
  --on-accent: #0d1620;
  --danger: #ff9d94;
  --good: #7fd6a2;
  --code: #12161a;
  --read: #1c3a56;
  --use: #16423a;
  --edit: #4d3c0b;
  --manage: #40305e;
  --deny: #55211d;
`

/**
 * The one stylesheet of our own pages. Colours meet WCAG 2.2 AA in both schemes (text 4.5:1, controls 3:1); a test
 * computes the ratios from the variables above. No inline styles anywhere: the pages' CSP forbids them.
 */
export const STYLE = `:root {
  color-scheme: light dark;
${LIGHT}}
@media (prefers-color-scheme: dark) {
  :root {
${DARK}  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body {
  margin: 0;
  background: var(--ground);
  color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
}
a { color: var(--link); text-underline-offset: 0.15em; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 0.5rem; background: var(--panel); padding: 0.5rem 0.75rem; }
.top { background: var(--panel); border-bottom: 1px solid var(--line); }
.top > div {
  max-width: 60rem; margin: 0 auto; padding: 0.75rem 1rem;
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1.25rem;
}
.brand { font-weight: 650; color: var(--text); text-decoration: none; margin-right: auto; padding: 0.25rem 0; }
.top nav { display: flex; flex-wrap: wrap; gap: 0 1.25rem; }
.top nav a { padding: 0.25rem 0; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
main.narrow { max-width: 34rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; line-height: 1.3; margin: 0 0 0.75rem; }
p { margin: 0 0 1rem; overflow-wrap: anywhere; }
.panel {
  background: var(--panel); border: 1px solid var(--line); border-radius: 10px;
  padding: 1.25rem; margin: 0 0 1.25rem;
}
.panel > :last-child { margin-bottom: 0; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
.notice { border-left: 4px solid var(--accent); }
.notice.bad { border-left-color: var(--danger); color: var(--text); }
.notice.good { border-left-color: var(--good); color: var(--text); }
dl.facts { display: grid; grid-template-columns: minmax(7rem, 12rem) 1fr; gap: 0.5rem 1rem; margin: 0 0 1rem; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
ul.plain { list-style: none; margin: 0; padding: 0; }
ul.tags { list-style: none; display: flex; flex-wrap: wrap; gap: 0.375rem; margin: 0; padding: 0; }
ul.tags li { background: var(--code); border: 1px solid var(--line); border-radius: 999px; padding: 0 0.6rem; }
code, pre, kbd { font-family: ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; font-size: 0.9em; }
code { overflow-wrap: anywhere; }
pre {
  background: var(--code); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.75rem; margin: 0 0 1rem; white-space: pre-wrap; overflow-wrap: anywhere;
}
.field { margin: 0 0 1rem; }
.field label, fieldset legend { display: block; font-weight: 600; margin: 0 0 0.25rem; padding: 0; }
.field .hint { display: block; color: var(--muted); font-size: 0.875rem; margin-top: 0.25rem; }
.field.check label { display: flex; gap: 0.5rem; align-items: flex-start; font-weight: 400; }
input[type="text"], input[type="search"], select {
  font: inherit; color: var(--text); background: var(--panel); border: 1px solid var(--control);
  border-radius: 8px; padding: 0.5rem 0.75rem; width: 100%; max-width: 26rem; min-height: 2.75rem;
}
input[type="checkbox"] { width: 1.25rem; height: 1.25rem; margin: 0.15rem 0 0; accent-color: var(--accent); flex: none; }
button, .button {
  font: inherit; font-weight: 600; display: inline-block; cursor: pointer; text-decoration: none; text-align: center;
  color: var(--on-accent); background: var(--accent); border: 1px solid var(--accent);
  border-radius: 8px; padding: 0.5rem 1rem; min-height: 2.75rem;
}
button.quiet, .button.quiet { color: var(--link); background: transparent; border-color: var(--control); }
button.danger { color: var(--danger); background: transparent; border-color: var(--danger); }
pre.secret { word-break: break-all; }
.actions { display: flex; flex-wrap: wrap; gap: 0.75rem; align-items: center; margin: 0 0 1rem; }
.stack { display: grid; gap: 0.75rem; }
.copy { display: flex; gap: 0.75rem; align-items: flex-start; margin: 0 0 1rem; }
.copy pre { flex: 1; margin: 0; min-width: 0; }
table { width: 100%; border-collapse: collapse; }
caption { text-align: left; color: var(--muted); padding: 0 0 0.5rem; }
th, td { text-align: left; padding: 0.6rem 0.75rem 0.6rem 0; border-top: 1px solid var(--line); vertical-align: top; }
th { font-weight: 600; white-space: nowrap; }
td form { margin: 0; }
td.end, th.end { text-align: right; padding-right: 0; }
@media (max-width: 40rem) {
  dl.facts { grid-template-columns: 1fr; gap: 0; }
  dl.facts dd { margin: 0 0 0.75rem; }
  table.cards thead { position: absolute; left: -999px; }
  table.cards, table.cards tbody, table.cards tr, table.cards td { display: block; width: 100%; }
  table.cards tr { border-top: 1px solid var(--line); padding: 0.75rem 0; }
  table.cards td { border: 0; padding: 0.125rem 0; text-align: left; overflow-wrap: anywhere; }
  table.cards td[data-label]::before { content: attr(data-label) ": "; color: var(--muted); }
  table.cards td.end { padding-top: 0.5rem; }
  .copy { flex-direction: column; align-items: stretch; }
}
body.wide main, body.wide .top > div { max-width: 100rem; }
.hint.line { flex: 1 1 100%; margin: 0; color: var(--muted); font-size: 0.875rem; order: 1; }
h3 { font-size: 1rem; line-height: 1.3; margin: 1.25rem 0 0.75rem; overflow-wrap: anywhere; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.good { color: var(--good); }
.bad { color: var(--danger); }
.sections ul { list-style: none; display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 0 0 1.25rem; padding: 0; border-bottom: 1px solid var(--line); }
.sections a { display: block; padding: 0.5rem 0; text-decoration: none; }
.sections a[aria-current] { color: var(--text); font-weight: 650; border-bottom: 3px solid var(--accent); }
form.inline { display: inline-block; }
form.search, form.fields { display: flex; flex-wrap: wrap; gap: 0.75rem 1rem; align-items: flex-end; }
form.search .field, form.fields .field { flex: 1 1 12rem; max-width: 26rem; margin: 0; }
.actions form.fields { flex: 1 1 20rem; }
.split { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(18rem, 100%), 1fr)); gap: 1.25rem; margin-top: 1.25rem; }
article.request .actions form.fields { flex-basis: 100%; }
article.request + article.request { border-top: 1px solid var(--line); padding-top: 1rem; }
.tiles { list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 1rem; margin: 0 0 1.25rem; padding: 0; }
.tile { display: block; background: var(--panel); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.25rem; text-decoration: none; color: var(--muted); }
.tile strong { display: block; font-size: 1.75rem; line-height: 1.2; color: var(--text); }
.level { position: relative; display: inline-block; min-width: 1.6rem; padding: 0 0.35rem; border-radius: 5px; text-align: center; font-weight: 650; color: var(--text); background: var(--code); }
.level.read { background: var(--read); }
.level.use { background: var(--use); }
.level.edit { background: var(--edit); }
.level.manage { background: var(--manage); }
.level.deny { background: var(--deny); }
.level.no_permissions { background: transparent; color: var(--muted); font-weight: 400; }
.legend { white-space: nowrap; margin-right: 0.75rem; }
.scroll { position: relative; overflow: auto; max-height: 75vh; }
table.matrix { width: auto; border-collapse: separate; border-spacing: 0; font-size: 0.875rem; }
table.matrix th, table.matrix td { border: 0; border-bottom: 1px solid var(--line); padding: 0.15rem 0.2rem; }
table.matrix tbody th { position: sticky; left: 0; background: var(--panel); font-weight: 400; min-width: 9rem; max-width: 20rem; white-space: normal; padding-right: 0.75rem; }
table.matrix thead th { position: sticky; top: 0; background: var(--panel); vertical-align: bottom; z-index: 1; }
table.matrix thead th:first-child { left: 0; z-index: 2; }
table.matrix thead a { display: block; writing-mode: vertical-rl; transform: rotate(180deg); max-height: 11rem; min-height: 1.6rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; text-decoration: none; }
table.matrix td { text-align: center; }
.chart { display: block; width: 100%; height: 9rem; margin: 0 0 0.5rem; border-bottom: 1px solid var(--line); }
.chart .allow, .key.allow { fill: var(--link); background: var(--link); }
.chart .deny, .key.deny { fill: var(--danger); background: var(--danger); }
.chart .error, .key.error { fill: var(--muted); background: var(--muted); }
.key { display: inline-block; width: 0.7rem; height: 0.7rem; border-radius: 2px; margin-right: 0.35rem; }
@media (forced-colors: active) { .panel, button, .button { border-color: CanvasText; } }
`
