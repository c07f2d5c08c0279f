/**
 * Exactly once, against a network that repeats and loses, and restarts that bring the table back from its records.
 * A twin that never restarts applies the same entries and must give the same answers.
 */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ToyMachine, toyCommand } from '../../../test/toy-machine.ts'
import type { Plain } from '../../actors/envelope.ts'
import { type Command, encodeEntry, encodeParcel } from '../batch.ts'
import { createMemoryKv } from '../../io/kv/memory.ts'
import type { KvOp } from '../../io/kv/kv.ts'
import type { Membership } from '../core/types.ts'
import { Applier } from './applier.ts'
import { NO_COLD } from './cold-digest.ts'
import { RecordDigest } from './digest.ts'
import { CLIENT_IDLE_MS, KEYS_BYTES_MAX, KEY_LIFE_MS, RequestTable } from './requests.ts'
import { StateStore, loadState } from './state-store.ts'
import { REFUSED, SETTLED, WAITING } from './wire.ts'

const NOBODY: Membership = { voters: [], outgoing: [], learners: [], learnersNext: [] }
const START = { index: 0, term: 1, time: 0 }
const HEADER = { ...START, ordinal: 0, membership: NOBODY, count: 0, sum: 0, cold: NO_COLD }

interface Heard {
  readonly client: number
  readonly sequence: number
  readonly status: number
  readonly reply: Plain
}

/** One replica: applies entries, can restart from its records. */
class Replica {
  readonly kv = createMemoryKv()
  applier = new Applier(new ToyMachine(), new RequestTable(), START)
  store = new StateStore(this.kv, 1, 1, HEADER, new RecordDigest())
  heard: Heard[] = []

  apply(index: number, time: number, parcels: readonly Uint8Array[]): readonly Heard[] {
    this.heard = []
    const answer = (client: number, sequence: number, status: number, reply: Plain): void => {
      this.heard.push({ client, sequence, status, reply })
    }
    this.applier.apply({ index, term: 1, type: 0, data: encodeEntry(time, parcels) }, { answer, event: () => {} })
    return this.heard
  }

  async drain(): Promise<void> {
    const ops: KvOp[] = []
    this.store.drain(this.applier, NOBODY, ops)
    await this.kv.batch(ops, { sync: true })
  }

  async restart(): Promise<void> {
    const machine = new ToyMachine()
    const loaded = await loadState(this.kv, 1, 1, machine)
    if (typeof loaded === 'string') throw new Error(loaded)
    this.applier = new Applier(machine, loaded.requests, loaded.header)
    this.store = new StateStore(this.kv, 1, 1, loaded.header, loaded.digest)
  }
}

/** A client as the proposer is one: repeats what is unanswered, says `low`, acknowledges settled waits. */
class Client {
  readonly id: number
  readonly answers = new Map<number, Plain>()
  readonly #unanswered = new Map<number, Command>()
  readonly #waiting = new Set<number>()
  #next = 1
  #acks: number[] = []

  constructor(id: number) {
    this.id = id
  }

  get submitted(): number {
    return this.#next - 1
  }

  submit(body: Uint8Array, cancels = 0): void {
    const sequence = this.#next++
    this.#unanswered.set(sequence, { sequence, key: null, traceparent: '', cancels, body })
  }

  get waiting(): readonly number[] {
    return [...this.#waiting]
  }

  parcel(): Uint8Array {
    const open = [...this.#unanswered.keys()].filter((sequence) => !this.#waiting.has(sequence))
    const acks = this.#acks.slice()
    return encodeParcel({ client: this.id, low: Math.min(this.#next, ...open), acks, commands: [...this.#unanswered.values()] })
  }

  hear({ sequence, status, reply }: Heard): void {
    if (status === WAITING) {
      if (this.#unanswered.has(sequence)) this.#waiting.add(sequence)
      return
    }
    if (this.answers.has(sequence)) expect(reply).toEqual(this.answers.get(sequence))
    this.answers.set(sequence, reply)
    this.#unanswered.delete(sequence)
    this.#waiting.delete(sequence)
    if (status === SETTLED || (status === REFUSED && (reply as Plain[])[1] === true)) this.#acks.push(sequence)
  }
}

const step = fc.record({
  client: fc.nat(2),
  does: fc.constantFrom('add', 'add', 'wait', 'open', 'cancel', 'nothing'),
  sends: fc.constantFrom('once', 'twice', 'late', 'never'),
  hears: fc.boolean(),
  after: fc.constantFrom('go on', 'go on', 'drain', 'restart'),
})

describe('Applier', () => {
  it('applies each command once, through repeats, losses, late duplicates and restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 80 }), async (steps) => {
        const [replica, twin] = [new Replica(), new Replica()]
        const clients = [new Client(11), new Client(22), new Client(33)]
        const late: Uint8Array[] = []
        let index = 0
        const apply = async (parcels: Uint8Array[], hears: boolean): Promise<void> => {
          index++
          const heard = replica.apply(index, index * 10, parcels)
          expect(twin.apply(index, index * 10, parcels)).toEqual(heard)
          if (hears) for (const one of heard) clients.find((client) => client.id === one.client)!.hear(one)
        }
        let adds = 0
        for (const { client: at, does, sends, hears, after } of steps) {
          const client = clients[at]!
          if (does === 'add') {
            client.submit(toyCommand({ add: 1 }))
            adds++
          } else if (does === 'wait') client.submit(toyCommand({ wait: 'gate' }))
          else if (does === 'open') client.submit(toyCommand({ open: 'gate' }))
          else if (does === 'cancel' && client.waiting.length > 0) client.submit(new Uint8Array(0), client.waiting[0])
          const parcel = client.parcel()
          if (sends === 'late') late.push(parcel)
          else if (sends !== 'never') await apply(sends === 'twice' ? [parcel, parcel] : [parcel], hears)
          if (after === 'drain' || after === 'restart') await replica.drain()
          if (after === 'restart') await replica.restart()
        }
        // Whatever was late arrives; then everybody asks until all is answered.
        for (const parcel of late) await apply([parcel], true)
        clients[0]!.submit(toyCommand({ open: 'gate' }))
        for (let i = 0; i < 3; i++)
          await apply(
            clients.map((client) => client.parcel()),
            true,
          )
        clients[0]!.submit(toyCommand({ open: 'gate' }))
        for (let i = 0; i < 3; i++)
          await apply(
            clients.map((client) => client.parcel()),
            true,
          )
        for (const client of clients) expect(client.answers.size).toBe(client.submitted)
        expect((replica.applier.machine as ToyMachine).sum).toBe(adds)
        expect((twin.applier.machine as ToyMachine).sum).toBe(adds)
      }),
      { numRuns: 300 },
    )
  })

  it('keeps keys while there is room for their answers; the oldest goes first, and is counted; the sum survives a restart', async () => {
    const replica = new Replica()
    const { requests } = replica.applier
    const client = requests.touch(5, 1, [], 0)
    const reply = 'x'.repeat(1024 * 1024)
    for (let sequence = 1; sequence <= 130; sequence++) {
      const command = {
        sequence,
        key: { key: `k${sequence}`, fingerprint: 'f' },
        traceparent: '',
        cancels: 0,
        body: toyCommand({ add: 1 }),
      }
      const admission = requests.admit(client, command, 0)
      if (admission.kind === 'apply') requests.complete(client, command, admission.ticket, { refused: false, reply }, 0)
    }
    expect([requests.keys.size, requests.keysEvicted, requests.stateOf('k3', 0), requests.stateOf('k4', 0)?.reply]).toEqual([
      127,
      3,
      undefined,
      reply,
    ])
    expect(requests.keyBytes).toBeLessThanOrEqual(KEYS_BYTES_MAX)
    await replica.drain()
    await replica.restart()
    expect(replica.applier.requests.keyBytes).toBe(requests.keyBytes)
    expect([...replica.applier.requests.keys.keys()]).toEqual([...requests.keys.keys()])
    requests.advance(KEY_LIFE_MS)
    expect([requests.keys.size, requests.keyBytes]).toEqual([0, 0])
  })

  it('forgets answers below low, keys after their life, clients after theirs, and takes them out of the store', async () => {
    const replica = new Replica()
    const command = (sequence: number, key: string | null): Command => ({
      sequence,
      key: key === null ? null : { key, fingerprint: 'f' },
      traceparent: '',
      cancels: 0,
      body: toyCommand({ add: 1 }),
    })
    replica.apply(1, 1_000, [encodeParcel({ client: 5, low: 1, acks: [], commands: [command(1, 'a'), command(2, 'b')] })])
    await replica.drain()
    const { requests } = replica.applier
    expect([requests.clients.get(5)!.answers.size, requests.keys.size, requests.nextExpiry()]).toEqual([2, 2, 1_000 + KEY_LIFE_MS])
    replica.apply(2, 2_000, [encodeParcel({ client: 5, low: 2, acks: [], commands: [] })])
    expect([...requests.clients.get(5)!.answers.keys()]).toEqual([2])
    replica.apply(3, 1_000 + KEY_LIFE_MS, [])
    expect([requests.keys.size, requests.nextExpiry()]).toEqual([0, 2_000 + CLIENT_IDLE_MS])
    replica.apply(4, 2_000 + CLIENT_IDLE_MS, [])
    expect([requests.clients.size, requests.nextExpiry()]).toEqual([0, Infinity])
    await replica.drain()
    const left = await replica.kv.iterate({}).next(100)
    expect(left.map(([key]) => key[8])).toEqual([0, 2])
  })

  it('does not forget a client that waits', () => {
    const replica = new Replica()
    const wait = { sequence: 1, key: null, traceparent: '', cancels: 0, body: toyCommand({ wait: 'gate' }) }
    const open = { ...wait, body: toyCommand({ open: 'gate' }) }
    replica.apply(1, 0, [encodeParcel({ client: 5, low: 1, acks: [], commands: [wait] })])
    replica.apply(2, 3 * CLIENT_IDLE_MS, [])
    const heard = replica.apply(3, 3 * CLIENT_IDLE_MS, [encodeParcel({ client: 6, low: 1, acks: [], commands: [open] })])
    expect(heard.map(({ client, status }) => [client, status])).toEqual([
      [5, SETTLED],
      [6, 0],
    ])
  })

  it('knows a settled wait that was acknowledged, while low has not passed it', () => {
    const replica = new Replica()
    const command = (sequence: number, body: Uint8Array): Command => ({ sequence, key: null, traceparent: '', cancels: 0, body })
    const wait = command(2, toyCommand({ wait: 'gate' }))
    const parcel = (acks: number[], ...commands: Command[]) => encodeParcel({ client: 5, low: 1, acks, commands })
    replica.apply(1, 0, [parcel([], wait, command(3, toyCommand({ open: 'gate' })))])
    replica.apply(2, 0, [parcel([2])])
    const { machine } = replica.applier
    expect(replica.apply(3, 0, [parcel([], wait)]).map(({ status, reply }) => [status, reply])).toEqual([[0, 1]])
    expect((machine as ToyMachine).gates.size).toBe(0)
  })

  it.each(['plain', '\uFEFFwith a mark', 'ключ\u0000'])('knows the key %j after a restart', async (name) => {
    const replica = new Replica()
    const parcelOf = (client: number): Uint8Array => {
      const key = { key: name, fingerprint: '\uFEFFf' }
      return encodeParcel({
        client,
        low: 1,
        acks: [],
        commands: [{ sequence: 1, key, traceparent: '', cancels: 0, body: toyCommand({ add: 1 }) }],
      })
    }
    replica.apply(1, 0, [parcelOf(5)])
    await replica.drain()
    await replica.restart()
    expect(replica.apply(2, 0, [parcelOf(6)]).map(({ status, reply }) => [status, reply])).toEqual([[0, 1]])
  })

  it('tells the machine of each command that is known from before, and of no other', () => {
    const replica = new Replica()
    const { machine } = replica.applier
    const known: string[] = []
    Object.assign(machine, { known: (body: Uint8Array) => known.push(new TextDecoder().decode(body)) })
    const keyed = (client: number, sequence: number, name: string, body: object): Uint8Array => {
      const command = { sequence, key: { key: name, fingerprint: 'f' }, traceparent: '', cancels: 0, body: toyCommand(body) }
      return encodeParcel({ client, low: 1, acks: [], commands: [command] })
    }
    replica.apply(1, 0, [keyed(5, 1, 'a', { add: 1 }), keyed(5, 2, 'b', { wait: 'gate' })])
    expect(known).toEqual([])
    // By its number, by its key, and one that waits still.
    replica.apply(2, 0, [keyed(5, 1, 'a', { add: 1 }), keyed(6, 1, 'a', { add: 1 }), keyed(6, 2, 'b', { wait: 'gate' })])
    expect(known).toEqual(['{"add":1}', '{"add":1}', '{"wait":"gate"}'])
    expect((machine as ToyMachine).sum).toBe(1)
  })

  it('never lets time go back, whatever an entry says', () => {
    const replica = new Replica()
    replica.apply(1, 5_000, [])
    replica.apply(2, 3_000, [])
    expect(replica.applier.time).toBe(5_000)
  })

  it('brings large answers and half-passed pages back from the store, and deletes what low has passed', async () => {
    const replica = new Replica()
    const table = replica.applier.requests
    const client = table.touch(5, 1, [], 0)
    const replyOf = (sequence: number): string => `reply ${sequence}`.padEnd(sequence % 3 === 0 ? 3_000 : 10, '.')
    const command = (sequence: number): Command => ({ sequence, key: null, traceparent: '', cancels: 0, body: new Uint8Array(0) })
    for (let s = 1; s <= 200; s++) table.complete(client, command(s), s, { refused: s % 7 === 0, reply: replyOf(s) }, 0)
    await replica.drain()
    table.touch(5, 100, [], 0)
    await replica.drain()
    await replica.restart()
    const loaded = replica.applier.requests.clients.get(5)!
    const expected = Array.from({ length: 101 }, (_, i) => [100 + i, { refused: (100 + i) % 7 === 0, reply: replyOf(100 + i) }])
    expect([...loaded.answers].sort(([a], [b]) => a - b)).toEqual(expected)
    replica.applier.requests.touch(5, 201, [], 0)
    await replica.drain()
    // One record of the client, and one page that is not wholly below low.
    const left = await replica.kv.iterate({}).next(1_000)
    expect(left.map(([key]) => key[8] === 1 && key[9])).toEqual([false, 1, 2])
    await replica.restart()
    expect(replica.applier.requests.clients.get(5)!.answers.size).toBe(0)
  })
})
