import { expect, it } from 'vitest'
import { STYLE } from '../../src/console/style.ts'

const [light = {}, dark = {}] = [...STYLE.matchAll(/:root \{([^}]*)\}/g)].map(([, block = '']) =>
  Object.fromEntries(
    [...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6})/g)].map(([, name, value]) => [name, value]),
  ),
)

/** WCAG 2.2, contrast ratio of two colours. */
function contrast(one: string, other: string): number {
  const [bright = 0, dim = 0] = [luminance(one), luminance(other)].sort((a, b) => b - a)
  return (bright + 0.05) / (dim + 0.05)
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const channel = Number.parseInt(colour.slice(start, start + 2), 16) / 255
    return channel <= 0.04045 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

const TEXT = 4.5
const CONTROL = 3

it.each([
  ['text', 'ground', TEXT],
  ['text', 'panel', TEXT],
  ['text', 'code', TEXT],
  ['muted', 'ground', TEXT],
  ['muted', 'panel', TEXT],
  ['link', 'ground', TEXT],
  ['link', 'panel', TEXT],
  ['on-accent', 'accent', TEXT],
  ['danger', 'panel', TEXT],
  ['control', 'panel', CONTROL],
  ['control', 'ground', CONTROL],
  ['accent', 'ground', CONTROL],
])('%s on %s has a contrast of at least %d:1 in light and dark', (front, back, ratio) => {
  for (const scheme of [light, dark]) {
    expect(contrast(scheme[front] ?? '', scheme[back] ?? '')).toBeGreaterThanOrEqual(ratio)
  }
})
