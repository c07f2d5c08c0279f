/** Where a node asks for its gateway, and when it gives up on a home. */
import { expect, test } from 'vitest'
import type { Envelope } from '../../actors/envelope.ts'
import { TricordError } from '../../base/errors.ts'
import { type GroupId, NOBODY, partitionGroup, replicaId } from '../../base/ids.ts'
import { answered } from '../calls.ts'
import { WatchRelay } from './watch-relay.ts'

const ANSWER = { term: 1, upTo: 5, lost: false, fresh: null, changes: [], swept: null, lagMs: 0, slowAgo: null }

function bed() {
  const asked: { readonly to: string; readonly resolve: (envelope: Envelope) => void; readonly reject: (error: Error) => void }[] = []
  const listeners: ((group: GroupId) => void)[] = []
  const state = { leader: 'n2' as string | null, known: true, hosts: [] as string[] }
  const relay = new WatchRelay({
    system: { node: 'n1', ask: (to) => new Promise((resolve, reject) => asked.push({ to, resolve, reject })) },
    host: {
      onChange: (listener) => void listeners.push(listener),
      status: () => ({ leader: state.known ? replicaId(1, 1) : NOBODY }) as never,
    },
    coherence: {
      leaderOf: (_, nth) => state.hosts[nth % state.hosts.length] ?? state.leader,
      watch: async () => {
        if (state.known) return ANSWER
        throw new TricordError('NO_QUORUM', 'this is not the home of the partition')
      },
    },
    partitions: 8,
  })
  const ask = (partition = 3) => {
    const told: { answer?: unknown; error?: TricordError } = {}
    relay.ask(['g', partition, 0, [], 1_000]).then(
      (answer) => (told.answer = answer),
      (error: TricordError) => (told.error = error),
    )
    return told
  }
  const changed = async (partition: number): Promise<void> => {
    for (const listener of listeners) listener(partitionGroup(partition))
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
  return { asked, state, ask, changed }
}

test('the home is asked, here or elsewhere; where nobody knows it, or there is no such partition, it is refused', async () => {
  const { asked, state, ask, changed } = bed()
  const far = ask()
  expect(asked[0]?.to).toBe('n2/cache')
  asked[0]?.resolve({ payload: answered([1, 5, false, null, []]) } as unknown as Envelope)
  state.leader = 'n1'
  const here = ask()
  state.leader = null
  const [nowhere, none] = [ask(), ask(8)]
  await changed(3)
  expect([far.answer, here.answer]).toEqual([
    [1, 5, false, null, []],
    [1, 5, false, null, [], null, 0, null],
  ])
  expect([nowhere.error?.code, none.error?.code]).toEqual(['NO_QUORUM', 'INVALID_ARGUMENT'])
})

test('once another is known to lead, the question is over; not while nobody does, nor for what happens elsewhere', async () => {
  const { state, ask, changed } = bed()
  const told = ask()
  await changed(3)
  state.known = false
  state.leader = 'n3'
  await changed(3)
  state.known = true
  await changed(4)
  expect(told).toEqual({})
  await changed(3)
  expect(told.error?.code).toBe('NO_QUORUM')
})

test('where it is not known who leads: each of the hosts in turn, whoever asks beside it', async () => {
  const { asked, state, ask, changed } = bed()
  state.known = false
  state.hosts = ['n2', 'n3', 'n1', 'n4']
  for (let round = 0; round < 2; round++) {
    // Three askers that ask together, again and again: none of them meets the same host each time.
    const told = [ask(), ask(), ask()]
    const host = state.hosts[round]
    const now = asked.splice(0)
    expect(now.map(({ to }) => to)).toEqual([`${host}/cache`, `${host}/cache`, `${host}/cache`])
    for (const { reject } of now) reject(new TricordError('NO_QUORUM', 'this is not the home'))
    await changed(4)
    expect(told.map(({ error }) => error?.code)).toEqual(['NO_QUORUM', 'NO_QUORUM', 'NO_QUORUM'])
  }
  // It is one of the hosts itself, and no home.
  const here = ask()
  await changed(4)
  expect(here.error?.code).toBe('NO_QUORUM')
  for (let round = 0; round < 2; round++) {
    const told = ask()
    expect(asked[0]?.to).toBe('n4/cache')
    asked.splice(0)[0]?.resolve({ payload: answered([1, 5, false, null, []]) } as unknown as Envelope)
    await changed(4)
    expect(told.answer).toBeDefined()
  }
})
