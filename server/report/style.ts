/** The report's one style sheet. Colours by role, so that the dark page and the printed one only swap them. */
export const REPORT_CSS = `
:root { color-scheme: light dark; --page: #f6f4f0; --card: #fff; --ink: #23252b; --soft: #646a78; --line: #e5e1d9; --track: #efece6; --treated: #1f6f58; --holdout: #a2703a; --bad: #a63d2f }
@media (prefers-color-scheme: dark) { :root { --page: #15171a; --card: #1d2024; --ink: #ebe9e4; --soft: #a2a8b4; --line: #33373d; --track: #2a2e34; --treated: #74cfae; --holdout: #d6a469; --bad: #f08b7b } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-variant-numeric: tabular-nums }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
header h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.02em; overflow-wrap: anywhere }
header p { margin: .35rem 0 0; color: var(--soft) }
nav { margin-top: .75rem; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .9375rem }
a { color: var(--treated); text-underline-offset: .2em }
.chip { display: inline-block; padding: .1rem .6rem; border: 1px solid var(--line); border-radius: 1rem; font-size: .8125rem; color: var(--soft); background: var(--card); vertical-align: .2em }
.chip.warn { color: var(--bad); border-color: currentcolor }
section { margin-top: 1.25rem; padding: 1.5rem 1.6rem; background: var(--card); border: 1px solid var(--line); border-radius: .9rem }
h2 { margin: 0 0 1rem; font-size: 1.0625rem; letter-spacing: -.005em }
h2 small { font-weight: 400; color: var(--soft) }
.hero { padding: 1.9rem 1.6rem 1.4rem }
.hero .what { margin: 0; color: var(--soft) }
.hero .number { margin: .1rem 0 .3rem; font-size: clamp(2.6rem, 9vw, 4rem); font-weight: 650; line-height: 1.1; letter-spacing: -.035em; color: var(--treated) }
.hero .number.open { color: var(--ink) }
.hero .number.loss { color: var(--bad) }
.hero .range { margin: 0; max-width: 42rem }
.hero .verdict { margin: .35rem 0 1.1rem; max-width: 42rem; color: var(--soft) }
.facts { display: grid; grid-template-columns: repeat(4, 1fr); gap: 1px; margin: 1.25rem 0 0; overflow: hidden; border: 1px solid var(--line); border-radius: .9rem; background: var(--line) }
.facts div { padding: .9rem 1.1rem; background: var(--card) }
.facts dt { color: var(--soft); font-size: .875rem }
.facts dd { margin: .1rem 0 0; font-size: 1.35rem; font-weight: 600; letter-spacing: -.02em }
.facts dd small { display: block; font-size: .8125rem; font-weight: 400; letter-spacing: 0; color: var(--soft) }
svg text { fill: var(--soft); font: .8125rem system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
.interval { display: block; max-width: 42rem }
.axis { stroke: var(--line); stroke-width: 2 }
.zero { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 3 3 }
.range, .end { stroke: var(--treated); stroke-width: 3; stroke-linecap: round }
.estimate { fill: var(--treated); stroke: var(--card); stroke-width: 2.5 }
.funnel { list-style: none; margin: 0; padding: 0; display: grid; gap: .65rem }
.funnel li { display: grid; grid-template-columns: 5rem 1fr 5rem 9.5rem; gap: .9rem; align-items: center }
.funnel .value { text-align: right; font-weight: 600 }
.funnel .share { color: var(--soft); font-size: .875rem }
.bar { display: block }
.track { fill: var(--track) }
.fill { fill: var(--treated) }
.chart { margin: 0 }
.plot { display: grid; grid-template-columns: auto 1fr; column-gap: .75rem; padding: .5rem 1.5rem 0 0 }
.plot svg { display: block; width: 100%; height: 17rem; overflow: visible }
.ys { display: flex; flex-direction: column; justify-content: space-between; text-align: right; color: var(--soft); font-size: .8125rem }
.ys span { height: 0; line-height: 0 }
.xs { grid-column: 2; display: flex; justify-content: space-between; margin-top: .55rem; color: var(--soft); font-size: .8125rem; white-space: nowrap }
.xs span { width: 0; display: flex; justify-content: center }
.grid { stroke: var(--line); stroke-width: 1; vector-effect: non-scaling-stroke }
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round; vector-effect: non-scaling-stroke }
.line.treated { stroke: var(--treated) }
.line.holdout { stroke: var(--holdout) }
.band { opacity: .14 }
.band.treated { fill: var(--treated) }
.band.holdout { fill: var(--holdout) }
figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1.25rem; margin-top: 1rem; color: var(--soft); font-size: .9375rem }
.key { display: inline-block; width: .8rem; height: .8rem; margin: 0 .45rem 0 0; border-radius: .2rem; vertical-align: -.08rem }
.key.treated { background: var(--treated) }
.key.holdout { background: var(--holdout) }
.scroll { overflow-x: auto }
table { width: 100%; border-collapse: collapse }
th, td { padding: .5rem .75rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { padding-left: 0; text-align: left }
th:last-child, td:last-child { padding-right: 0 }
thead th { color: var(--soft); font-size: .8125rem; font-weight: 500 }
tbody th { font-weight: 500 }
tbody tr:last-child > * { border-bottom: 0 }
b { white-space: nowrap }
.list th { white-space: normal }
.balance { margin: 0; line-height: 2 }
.balance b { font-weight: 600 }
.ok { color: var(--treated) }
.bad { color: var(--bad) }
.two { display: grid; grid-template-columns: 1fr 1fr; gap: 1.25rem }
.two section { min-width: 0 }
ul.notes { margin: 0; padding-left: 1.1rem }
ul.notes li + li { margin-top: .5rem }
details { margin-top: 1rem; font-size: .9375rem }
summary { cursor: pointer; color: var(--soft) }
details table { margin-top: .75rem }
footer { margin-top: 1.5rem; color: var(--soft); font-size: .875rem }
.empty { color: var(--soft); margin: 0 }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--treated); outline-offset: 2px; border-radius: .2rem }
@media (max-width: 46rem) {
  main { padding: 1.5rem .9rem 3rem }
  section, .hero { padding: 1.25rem 1.1rem }
  .facts { grid-template-columns: 1fr 1fr }
  .two { grid-template-columns: 1fr; gap: 0 }
  .funnel li { grid-template-columns: 1fr auto; gap: .2rem .75rem }
  .funnel .bar { grid-column: 1 / -1; grid-row: 2 }
  .funnel .share { grid-column: 1 / -1; grid-row: 3; margin-bottom: .35rem }
  .plot svg { height: 13rem }
  th, td { padding: .45rem .5rem; font-size: .9375rem }
}
@media print {
  :root { --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #ccc; --track: #eee; --treated: #1f6f58; --holdout: #a2703a; --bad: #a63d2f }
  main { padding: 0; max-width: none }
  section, .facts { break-inside: avoid; border-radius: 0 }
  nav, details { display: none }
  * { print-color-adjust: exact }
}
`;
