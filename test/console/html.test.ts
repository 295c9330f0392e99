import { expect, it } from 'vitest'
import { html, unsafeHtml } from '../../src/console/html.ts'

it.each([
  ['text', html`<p>${'<script>alert(1)</script>'}</p>`, '<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>'],
  ['an attribute in double quotes', html`<a href="${'" onclick="x'}">`, '<a href="&quot; onclick=&quot;x">'],
  ['an attribute in single quotes', html`<a href='${"' onclick='x"}'>`, "<a href='&#39; onclick=&#39;x'>"],
  ['a back quote', html`${'`'}`, '&#96;'],
  ['an ampersand, once', html`${'&lt;'}`, '&amp;lt;'],
  ['a nested template', html`<p>${html`<b>${'<'}</b>`}</p>`, '<p><b>&lt;</b></p>'],
  ['a list', html`${['<', html`<i>`, 3]}`, '&lt;<i>3'],
  ['nothing for undefined, null and false', html`[${undefined}${null}${false}]`, '[]'],
  ['zero', html`${0}`, '0'],
  ['trusted markup', html`${unsafeHtml('<hr>')}`, '<hr>'],
])('%s', (_, value, markup) => {
  expect(value.markup).toBe(markup)
})
