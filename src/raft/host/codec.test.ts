/** Peer messages survive the wire; whatever else arrives is dropped and never throws. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Plain } from '../../actors/envelope.ts'
import { packPlain, unpackPlain } from '../../actors/codec.ts'
import type { Heartbeat, HeartbeatResponse } from '../core/types.ts'
import { type DirectMessage, decodePeers, encodePeer, pushPeer, pushBeat, readBeats } from './codec.ts'
import { decodePropose, decodeQuery, encodePropose, encodeQuery } from './propose-codec.ts'
import { WIRE } from './wire.ts'

const routed = { from: 1024, to: 2049, term: 7 }
const entry = { index: 6, term: 7, type: 0, data: new Uint8Array([1, 2, 3]) } as const
const MESSAGES: readonly DirectMessage[] = [
  { type: 'request_vote', ...routed, preVote: true, lastIndex: 5, lastTerm: 6, transfer: false },
  { type: 'vote_response', ...routed, preVote: false, granted: true, commit: 4, commitTerm: 3 },
  { type: 'append_entries', ...routed, prevIndex: 5, prevTerm: 6, commit: 4, entries: [entry, { ...entry, index: 7, type: 2 }] },
  { type: 'append_entries', ...routed, prevIndex: 5, prevTerm: 6, commit: 4, entries: [] },
  { type: 'append_response', ...routed, index: 9, reject: true, hintIndex: 3, hintTerm: 2 },
  { type: 'timeout_now', ...routed },
  { type: 'read_index', ...routed, readId: 12 },
  { type: 'read_index_response', ...routed, readId: 12, index: 8, reject: false },
]

/** What came as a Buffer, as the plain bytes it stands for. */
const bare = (value: unknown): unknown => {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(bare)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, bare(one)]))
}

const overTheWire = (value: Plain): Plain => unpackPlain(packPlain(value))!

describe('peer messages', () => {
  it('come back as they were', () => {
    for (const message of MESSAGES) {
      const decoded = decodePeers(message.type, overTheWire(encodePeer(66, message)))
      expect(bare(decoded)).toEqual(bare([{ group: 66, message }]))
      expect(Object.keys(WIRE)).toContain(message.type)
      expect(encodePeer(66, message)).toHaveLength(WIRE[message.type].fields.split(' ').length)
    }
  })

  it('are null when anything about them is wrong', () => {
    for (const message of MESSAGES) {
      const tuple = encodePeer(66, message)
      expect(decodePeers(message.type, tuple.slice(1))).toBe(null)
      expect(decodePeers(message.type, [...tuple, 0])).toBe(null)
      for (let i = 0; i < tuple.length; i++)
        for (const bad of [-1, 1.5, 'x', null]) expect(decodePeers(message.type, tuple.with(i, bad))).toBe(null)
    }
    expect(decodePeers('append_entries', [1, 2, 3, 4, 5, 6, 7, [1, 3, new Uint8Array(1)]])).toBe(null)
    expect(decodePeers('install_snapshot', [1, 2, 3, 4])).toBe(null)
  })

  it('carry appends and their answers of many groups in one list, others alone', () => {
    for (const message of MESSAGES) {
      const list: Plain[] = []
      for (const group of [1, 2, 3]) pushPeer(list, group, message)
      const gathered = message.type === 'append_entries' || message.type === 'append_response'
      const expected = gathered ? [1, 2, 3].map((group) => ({ group, message })) : null
      expect(bare(decodePeers(message.type, overTheWire(list)))).toEqual(bare(expected))
      expect(decodePeers(message.type, list.slice(0, -1))).toBe(null)
      expect(decodePeers(message.type, [])).toBe(null)
    }
  })

  it('carry many heartbeats in one list', () => {
    const beat: Heartbeat = { type: 'heartbeat', ...routed, commit: 3, readSeq: 4, quiesce: true }
    const response: HeartbeatResponse = { type: 'heartbeat_response', ...routed, readSeq: 4, quiesced: false }
    const [beats, responses]: [number[], number[]] = [[], []]
    for (const group of [1, 2, 3]) {
      pushBeat(beats, group, beat)
      pushBeat(responses, group, response)
    }
    expect(readBeats('heartbeat', overTheWire(beats))).toEqual([1, 2, 3].map((group) => ({ group, message: beat })))
    expect(readBeats('heartbeat_response', overTheWire(responses))).toEqual([1, 2, 3].map((group) => ({ group, message: response })))
    expect(readBeats('heartbeat', beats.slice(1))).toEqual([])
    expect(readBeats('heartbeat', 'x')).toEqual([])
  })
})

describe('proposals and queries', () => {
  it('come back as they were, and nothing else throws', () => {
    const propose = {
      group: 1,
      hops: 2,
      parcel: 3,
      client: 2 ** 52,
      repeat: true,
      essential: true,
      traces: ['t'],
      bytes: new Uint8Array([5]),
    }
    expect(decodePropose(encodePropose(propose))).toEqual(propose)
    const query = { group: 1, hops: 0, stale: true, repeat: false, key: '', request: { what: 'sum' } }
    expect(decodeQuery(encodeQuery(query))).toEqual(query)
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.constant([1])), { maxLength: 8 }), (tuple) => {
        decodePropose(tuple)
        decodeQuery(tuple)
        for (const { type } of MESSAGES) decodePeers(type, tuple)
      }),
    )
  })
})
