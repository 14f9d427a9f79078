/** The inbox's one style sheet: calm, readable, light and dark, from a phone to a wide screen. */
export const STYLE = `
:root { color-scheme: light dark;
  --paper: light-dark(#ffffff, #16181d); --ground: light-dark(#f5f5f2, #0f1115); --ink: light-dark(#1d2127, #e6e7ea);
  --soft: light-dark(#667080, #98a1b0); --line: light-dark(#e4e4de, #272b33); --mark: light-dark(#2f5d50, #86c5ae);
  --mark-ground: light-dark(#e8f0ec, #1b2a26); --warn: light-dark(#9a5b13, #e0b070); }
* { box-sizing: border-box; }
html, body { height: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', sans-serif; }
a { color: inherit; text-decoration: none; }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; border-radius: 4px; }
.shell { display: grid; grid-template-columns: minmax(300px, 400px) 1fr; height: 100vh; height: 100dvh; }
.list { display: flex; flex-direction: column; min-height: 0; background: var(--paper); border-right: 1px solid var(--line); }
.top { padding: 18px 20px 14px; border-bottom: 1px solid var(--line); }
.brand { display: flex; align-items: baseline; justify-content: space-between; gap: 12px; margin: 0 0 12px; }
.brand h1 { margin: 0; font-size: 17px; font-weight: 650; letter-spacing: -.01em; }
.brand small, .soft { color: var(--soft); font-size: 13px; }
.search { display: flex; }
.search input { flex: 1; min-width: 0; padding: 8px 12px; font: inherit; font-size: 14px; color: inherit;
  background: var(--ground); border: 1px solid var(--line); border-radius: 8px; }
.search input::placeholder { color: var(--soft); }
.news { display: block; margin-top: 10px; padding: 6px 12px; border-radius: 8px; font-size: 13px; text-align: center;
  background: var(--mark-ground); color: var(--mark); font-weight: 550; }
.news[hidden] { display: none; }
.mails { flex: 1; overflow-y: auto; margin: 0; padding: 0; list-style: none; scrollbar-width: thin; }
.mails a { display: block; padding: 11px 20px 12px; border-bottom: 1px solid var(--line); border-left: 3px solid transparent; }
.mails a:hover { background: var(--ground); }
.mails a[aria-current] { background: var(--mark-ground); border-left-color: var(--mark); }
.row { display: flex; justify-content: space-between; gap: 12px; align-items: baseline; }
.row .soft { flex: none; white-space: nowrap; font-variant-numeric: tabular-nums; }
.cut { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; min-width: 0; }
.to { font-weight: 550; }
.pages { display: flex; justify-content: space-between; padding: 10px 20px; border-top: 1px solid var(--line);
  font-size: 13px; color: var(--soft); }
.pages a { color: var(--mark); font-weight: 550; }
.pane { display: flex; flex-direction: column; min-width: 0; min-height: 0; overflow-y: auto; }
.empty { margin: auto; padding: 40px 24px; max-width: 460px; text-align: center; color: var(--soft); }
.empty h2 { color: var(--ink); font-size: 20px; font-weight: 600; margin: 0 0 8px; }
.empty code { color: var(--ink); background: var(--paper); border: 1px solid var(--line); padding: 2px 6px; border-radius: 5px; }
.head { padding: 22px 32px 0; background: var(--paper); border-bottom: 1px solid var(--line); }
.back { display: none; margin-bottom: 12px; color: var(--mark); font-size: 14px; font-weight: 550; }
.head h2 { margin: 0 0 12px; font-size: 21px; line-height: 1.3; font-weight: 620; letter-spacing: -.012em; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: auto 1fr; gap: 3px 14px; margin: 0 0 16px; font-size: 14px; }
.facts dt { color: var(--soft); }
.facts dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.tag { display: inline-block; padding: 0 8px; border-radius: 99px; font-size: 12px; font-weight: 550;
  background: var(--mark-ground); color: var(--mark); }
.tag.no { background: transparent; color: var(--warn); border: 1px solid currentColor; }
.tabs { display: flex; flex-wrap: wrap; gap: 2px; align-items: center; }
.tabs a { padding: 8px 14px; font-size: 14px; color: var(--soft); border-bottom: 2px solid transparent; }
.tabs a:hover { color: var(--ink); }
.tabs a[aria-current] { color: var(--mark); border-bottom-color: var(--mark); font-weight: 600; }
.tabs .more { margin-left: auto; }
.body { flex: 1; display: flex; flex-direction: column; padding: 24px 32px 32px; min-height: 0; }
.frame { flex: 1; width: 100%; min-height: 480px; margin: 0 auto; border: 1px solid var(--line); border-radius: 10px;
  background: #fff; }
.frame.phone { max-width: 390px; }
pre { margin: 0; padding: 20px 24px; background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.6 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
table { width: 100%; border-collapse: collapse; background: var(--paper); border: 1px solid var(--line);
  border-radius: 10px; overflow: hidden; font-size: 13px; }
th, td { padding: 8px 16px; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
tr:last-child > * { border-bottom: 0; }
th { width: 1%; white-space: nowrap; color: var(--soft); font-weight: 500; }
td code { font: 12.5px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
td a { color: var(--mark); }
h3 { font-size: 14px; margin: 22px 0 10px; font-weight: 600; }
h3:first-child { margin-top: 0; }
@media (max-width: 860px) {
  .shell { display: block; height: auto; min-height: 100dvh; }
  .list { border-right: 0; min-height: 100dvh; }
  .shell.reading .list, .shell:not(.reading) .pane { display: none; }
  .shell.reading .pane { min-height: 100dvh; }
  .back { display: inline-block; }
  .head { padding: 16px 18px 0; } .head h2 { font-size: 18px; } .body { padding: 16px 12px 20px; }
  .tabs a { padding: 8px 10px; } .tabs .more { margin-left: 0; } .frame { min-height: 72vh; }
  th, td { display: block; width: auto; padding: 8px 14px; } th { border-bottom: 0; padding-bottom: 0; } th + td { padding-top: 2px; }
}
`;

/** Local times, and a note when new mails have come. It only reads the API of its own origin. */
export const SCRIPT = `
for (const time of document.querySelectorAll('time')) {
  const at = new Date(time.dateTime), today = new Date().toDateString() === at.toDateString();
  time.title = at.toLocaleString();
  time.textContent = time.dataset.long ? at.toLocaleString()
    : today ? at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : at.toLocaleDateString([], { day: 'numeric', month: 'short' });
}
const current = document.querySelector('.mails [aria-current]');
if (current) current.scrollIntoView({ block: 'nearest' });
const news = document.querySelector('.news'), last = Number(news.dataset.last);
setInterval(async () => {
  if (document.hidden) return;
  const answer = await fetch('/api/mails?limit=0').then((r) => r.json()).catch(() => null);
  const count = answer ? answer.last - last : 0;
  if (count > 0) { news.hidden = false; news.textContent = count === 1 ? 'One new mail' : count.toLocaleString() + ' new mails'; }
}, 2500);
`;
