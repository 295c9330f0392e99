import { GatewayError } from '../errors.ts'
import { type Call, select } from './call.ts'
import { jsonName } from './json.ts'
import { isPlainPath } from './locators/artifacts.ts'
import type { Rule, SwitchName } from './operation.ts'
import { faultOfUrl } from './outbound-url.ts'
import { buildPath, matchPath } from './path.ts'
import { objectsIn } from './rewrite.ts'

export type RuleContext = {
  readonly isAdmin: boolean
  readonly switches: Readonly<Record<SwitchName, boolean>>
  /** Hosts that MLflow may be told to call; empty: any that is public. */
  readonly webhookHosts: readonly string[]
}

/**
 * Holds the request against the rules of its row.
 *
 * @throws {GatewayError} `ERR_PERMISSION_DENIED` (reasons `admin_only`, `switched_off`, `url_not_allowed`) or `ERR_AMBIGUOUS_REQUEST`.
 */
export function checkRules(call: Call, context: RuleContext): void {
  for (const rule of call.operation.rules) check(call, rule, context)
}

function check(call: Call, rule: Rule, context: RuleContext): void {
  switch (rule.kind) {
    case 'not_also':
      if (matchPath(rule.template, buildPath(call.template, call.params)) !== undefined) {
        throw new GatewayError('ERR_AMBIGUOUS_REQUEST', 'The path can be read in more than one way')
      }
      return
    case 'switch':
      if (!context.switches[rule.name])
        throw denied('switched_off', 'This operation is switched off on this gateway')
      return
    case 'not_a_username':
      return // see judge.ts
    case 'admin_field':
      if (!context.isAdmin && select(call, rule.selector).length > 0) {
        throw denied('admin_only', `Only an administrator may set '${rule.selector.text}'; leave it out`)
      }
      return
    case 'admin_tag':
      if (context.isAdmin) return
      for (const tag of select(call, rule.selector)) {
        if (rule.tags.includes(tag)) {
          throw denied('admin_only', `Only an administrator may change the tag '${tag}'`)
        }
      }
      return
    case 'only_fields':
      if (context.isAdmin) return
      for (const field of fieldsAt(call, rule.path)) {
        if (!rule.fields.some((each) => field === each || field === jsonName(each))) {
          const message = `'${rule.path.join('.')}' may hold ${rule.fields.join(' and ')} only, not '${field}'`
          throw denied('admin_only', `${message}; anything else is for administrators`)
        }
      }
      return
    case 'refuse_field':
      if (select(call, rule.selector).length > 0) {
        throw new GatewayError(
          'ERR_AMBIGUOUS_REQUEST',
          `'${rule.selector.text}' is not read here: ${rule.hint}`,
        )
      }
      return
    case 'outbound_url':
      for (const url of select(call, rule.selector)) {
        const fault = faultOfUrl(url, context.webhookHosts)
        if (fault !== undefined)
          throw denied('url_not_allowed', `The URL in '${rule.selector.text}' ${fault}`)
      }
      return
    case 'plain_segment':
      for (const value of select(call, rule.selector)) {
        if (/[\p{Cc}\\/#%]/u.test(value) || value === '.' || value === '..') {
          throw new GatewayError('ERR_AMBIGUOUS_REQUEST', `'${rule.selector.text}' must be a plain file name`)
        }
      }
      return
    case 'plain_path':
      for (const value of call.query.get(rule.field) ?? []) {
        if (!isWithinRoot(value)) {
          throw new GatewayError('ERR_AMBIGUOUS_REQUEST', `'${rule.field}' must be a plain relative path`)
        }
      }
  }
}

/** Names of the members of every object that the path leads to. What is of another type is not MLflow's either. */
function fieldsAt({ body }: Call, path: readonly string[]): readonly string[] {
  return body === undefined ? [] : objectsIn(body.value, path).flatMap(Object.keys)
}

/** True for the root itself, with nothing, and for a plain path below it. A file may be called `epoch:1`, but no drive. */
function isWithinRoot(path: string): boolean {
  if (path === '') return true
  return isPlainPath(path.replace(/\/$/, '')) && !/^(?:file:|[a-z]:\/)/i.test(path)
}

function denied(reason: string, message: string): GatewayError {
  return new GatewayError('ERR_PERMISSION_DENIED', message, { reason })
}
