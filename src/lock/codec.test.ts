import * as fc from 'fast-check'
import { Packr } from 'msgpackr'
import { expect, test } from 'vitest'
import { Bed, acquireCommand } from '../../test/lock/bed.ts'
import { createLockMachine } from './machine.ts'
import { decodeCommand, encodeCommand } from './codec.ts'
import { decodeReply } from './replies.ts'
import { parseGrantId, parseImplicitId, parseSessionId } from './ids.ts'

const packr = new Packr({ useRecords: false, mapsAsObjects: true })

test('commands survive the way through the log', () => {
  const session = { id: 's_1', proof: 'p' }
  const items = [
    ['a', 'shared'],
    ['ä/ö', 'update'],
  ] as const
  const acquire = acquireCommand(items, {
    session,
    owner: 'me',
    metadata: { host: 'w3', n: 1, ok: true, no: null },
    priority: 3,
    reentrant: true,
  })
  expect(decodeCommand(encodeCommand(acquire))).toEqual({
    type: 'lock_acquire',
    namespace: 'default',
    session: 's_1',
    proof: 'p',
    owner: 'me',
    waitMs: 0,
    leaseMs: 30_000,
    priority: 3,
    reentrant: true,
    metadata: '{"host":"w3","n":1,"ok":true,"no":null}',
    items: [
      { name: 'a', mode: 2 },
      { name: 'ä/ö', mode: 4 },
    ],
  })
  const grant = { namespace: 'default', name: 'a', grantId: 'g_1', session: null }
  expect(decodeCommand(encodeCommand({ type: 'lock_renew', ...grant, leaseMs: null }))).toMatchObject({
    type: 'lock_renew',
    leaseMs: 0,
    session: '',
  })
  expect(decodeCommand(encodeCommand({ type: 'lock_release', ...grant, session }))).toMatchObject({ session: 's_1', proof: 'p' })
  const open = { type: 'session_open', namespace: 'n', proof: 'p', ttlMs: 5_000, lingers: true, name: 'w', metadata: null } as const
  expect(decodeCommand(encodeCommand(open))).toEqual({ ...open, metadata: '' })
  for (const type of ['session_keepalive', 'session_close'] as const) {
    expect(decodeCommand(encodeCommand({ type, session }))).toEqual({ type, session: 's_1', proof: 'p' })
  }
})

test.each([
  ['no items', acquireCommand([])],
  ['an empty name', acquireCommand([['', 'shared']])],
  ['a name too long', acquireCommand([['n'.repeat(257), 'shared']])],
  ['a name of too many pairs', acquireCommand([['𝄞'.repeat(257), 'shared']])],
  [
    'a name twice',
    acquireCommand([
      ['a', 'shared'],
      ['a', 'exclusive'],
    ]),
  ],
  ['too many items', acquireCommand(Array.from({ length: 33 }, (_, i) => [`n${i}`, 'shared'] as const))],
  ['a mode that is none', acquireCommand([['a', 'write' as 'shared']])],
  ['a negative wait', acquireCommand([['a', 'shared']], { waitMs: -1 })],
  ['an endless wait', acquireCommand([['a', 'shared']], { waitMs: 60_001 })],
  ['a fraction', acquireCommand([['a', 'shared']], { waitMs: 0.5 })],
  ['not a number', acquireCommand([['a', 'shared']], { waitMs: NaN })],
  ['a lease too short', acquireCommand([['a', 'shared']], { leaseMs: 999 })],
  ['a lease too long', acquireCommand([['a', 'shared']], { leaseMs: 86_400_001 })],
  ['an unknown priority', acquireCommand([['a', 'shared']], { priority: 10 })],
  ['an owner too long', acquireCommand([['a', 'shared']], { owner: 'o'.repeat(257) })],
  ['no proof', acquireCommand([['a', 'shared']], { implicitProof: '' })],
  ['metadata too large', acquireCommand([['a', 'shared']], { metadata: { a: 'ä'.repeat(520) } })],
  ['metadata with depth', acquireCommand([['a', 'shared']], { metadata: { a: {} } as never })],
])('refuses %s and changes nothing', (_, command) => {
  const bed = new Bed()
  expect(bed.run(command)).toMatchObject({ type: 'refused', code: 'INVALID_ARGUMENT' })
  expect(bed.machine.dirty).toBe(0)
})

test('no bytes can make it throw, or break it', () => {
  const bed = new Bed()
  const machine = createLockMachine()
  const valid = encodeCommand(acquireCommand([['a', 'exclusive']]))
  const flipped = fc
    .record({ at: fc.nat({ max: valid.length - 1 }), bit: fc.nat({ max: 7 }), cut: fc.nat({ max: valid.length }) })
    .map(({ at, bit, cut }) => {
      const bytes = Uint8Array.from(valid)
      bytes[at] = (bytes[at] as number) ^ (1 << bit)
      return bytes.subarray(0, cut === 0 ? valid.length : cut)
    })
  const tuples = fc.array(fc.oneof(fc.integer(), fc.string(), fc.constant(1), fc.constant(null), fc.double()), { maxLength: 14 })
  const shaped = fc.tuple(fc.integer({ min: 0, max: 8 }), tuples).map(([kind, rest]) => Uint8Array.from(packr.pack([1, kind, ...rest])))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 60 }), flipped, shaped), (bytes) => {
      const reply = machine.apply(bed, ++bed.ticket, bytes)
      machine.check()
      if (reply !== null) decodeReply(reply)
    }),
    { numRuns: 3_000 },
  )
})

test('questions that are none are refused', () => {
  const { machine } = new Bed()
  for (const question of [null, 1, 'x', [], {}, { type: 'lock_status' }, { type: 'session_list', namespace: 'n', cursor: 'x' }]) {
    expect(decodeReply(machine.query(question, 0))).toMatchObject({ type: 'refused', code: 'INVALID_ARGUMENT' })
  }
})

test('only the canonical spelling of an id is an id', () => {
  expect(parseGrantId('g_1q')).toEqual({ token: 62, tag: 0 })
  expect(parseGrantId('g_1q_abc')).toEqual({ token: 62, tag: parseInt('abc', 36) })
  for (const bad of [
    '',
    'g',
    'g_',
    'g_0',
    'g_01',
    'g_1Q',
    'g_1_',
    'g_1_0',
    'g_1_a_b',
    'g_zzzzzzzzzzzz',
    'g_zzzzzzzzzzz',
    'g_-1',
    'x_1',
    ' g_1',
  ]) {
    expect(parseGrantId(bad), bad).toBe(null)
  }
  expect(parseSessionId('s_a')).toBe(10)
  for (const bad of ['', 's_', 's_0', 's_g_1', 's_0a', 'a']) expect(parseSessionId(bad), bad).toBe(0)
  expect(parseImplicitId('s_g_a_t')).toEqual({ token: 10, tag: 29 })
  expect(parseImplicitId('s_a')).toBe(null)
})
