import { PROVIDER_CLOCK_TOLERANCE } from '../identity/provider.ts'
import { type Finding, fault, ok, skipped, warning } from './check.ts'

/** More than this is worth mending before it becomes trouble, seconds. */
const NOTEWORTHY = 5

/**
 * Judges how far another clock is from this machine's.
 *
 * @param whose e.g. `the provider's clock`.
 * @param aheadMs By how much the other one is ahead; negative if it is behind.
 */
export function judgeClock(whose: string, aheadMs: number): Finding {
  const seconds = Math.round(Math.abs(aheadMs) / 1000)
  const what = `${whose} is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this machine's`
  const advice =
    'Have both set their clocks by NTP: `timedatectl` (or `chronyc tracking`) says which one is wrong.'
  if (seconds > PROVIDER_CLOCK_TOLERANCE) {
    const why = `Times in tokens and sessions are believed up to ${PROVIDER_CLOCK_TOLERANCE} s off: sign-ins and tokens are refused as expired or not yet valid.`
    return fault({ what, why, advice })
  }
  if (seconds > NOTEWORTHY) {
    const why = `From ${PROVIDER_CLOCK_TOLERANCE} s on sign-ins and tokens are refused.`
    return warning({ what, why, advice })
  }
  return ok(seconds === 0 ? `${whose} agrees with this machine's` : what)
}

/**
 * Judges the clock by the `Date` of an answer (RFC 9110 §6.6.1), which has whole seconds: half of one is added. An
 * answer that a cache gave says nothing (RFC 9111 §5.1).
 */
export function judgeDate(whose: string, response: Response, atMs: number): Finding {
  const date = Date.parse(response.headers.get('date') ?? '')
  if (Number.isNaN(date)) return skipped('the answer has no date to compare with')
  if (response.headers.has('age'))
    return skipped('the answer came from a cache, so its date is not that of now')
  return judgeClock(whose, date + 500 - atMs)
}
