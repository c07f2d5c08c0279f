/** `docs/wire.md` names every message type that travels, and none that does not. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ADMIN_WIRE } from '../src/admin.ts'
import { FAILURE } from '../src/actors/envelope.ts'
import { CACHE_ANSWER, CACHE_CALL } from '../src/cache/calls.ts'
import { COHERENCE_WIRE } from '../src/cache/node/wire.ts'
import { CLUSTER_WIRE } from '../src/cluster/wire.ts'
import { LOST_LEASES_WIRE } from '../src/queue/lost-leases.ts'
import { WIRE } from '../src/raft/host/wire.ts'

const page = readFileSync('docs/wire.md', 'utf8')
const listed = (heading: string): string[] => {
  const section = page.split(/^## /m).find((text) => text.startsWith(heading)) ?? ''
  return [...section.matchAll(/^\| `([a-z_]+)` \|/gm)].map((match) => match[1] ?? '').sort()
}

test('the Raft host’s messages, with their fields', () => {
  expect(listed('Raft')).toEqual(Object.keys(WIRE).sort())
  for (const [type, { fields }] of Object.entries(WIRE))
    expect(page, type).toContain(`| \`${type}\` | ${fields === '' ? '' : `\`${fields.replaceAll('|', '\\|')}\``} |`)
})

test('the cluster floor’s messages', () => {
  expect(listed('Cluster')).toEqual(Object.keys(CLUSTER_WIRE).sort())
})

test('what gateways ask, and how anything is refused', () => {
  expect(listed('Gateways')).toEqual(
    [...Object.keys(ADMIN_WIRE), ...Object.keys(LOST_LEASES_WIRE), CACHE_CALL, CACHE_ANSWER, FAILURE].sort(),
  )
})

test('the words between homes and nodes', () => {
  expect(listed('Coherence')).toEqual(Object.keys(COHERENCE_WIRE).sort())
  for (const [type, says] of Object.entries(COHERENCE_WIRE)) expect(page).toContain(`| \`${type}\` | ${says} |`)
})

test('the commands of the lock manager', () => {
  const types = [...readFileSync('src/lock/types.ts', 'utf8').matchAll(/readonly type: '((?:lock|session)_[a-z]+)'/g)].map(
    (match) => match[1] ?? '',
  )
  expect(listed('Lock commands')).toEqual([...new Set(types)].sort())
})

test('the commands of the queues', () => {
  const types = [...readFileSync('src/queue/types.ts', 'utf8').matchAll(/readonly type: '(queue_[a-z]+|tx|require_fence)'/g)]
  expect(listed('Queue commands')).toEqual([...new Set(types.map((match) => match[1] ?? ''))].sort())
})

test('the commands of the caches', () => {
  const types = [...readFileSync('src/cache/machine/commands.ts', 'utf8').matchAll(/'(cache_[a-z_]+)'/g)]
  expect(listed('Cache commands')).toEqual([...new Set(types.map((match) => match[1] ?? ''))].sort())
})
