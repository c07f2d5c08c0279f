import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { loadHash } from '../io/hash.ts'
import type { Plain } from '../actors/envelope.ts'
import { packPlain } from '../actors/codec.ts'
import type { ApplyContext } from '../raft/machine.ts'
import { type MetaCommand, decodeMetaCommand, encodeMetaCommand } from './meta-machine-commands.ts'
import { MEMBERS_MAX, MetaMachine } from './meta-machine.ts'
import { firstTable, planMeta, rowsOf } from './reconcile-meta.ts'
import type { Formation, Member, MetaView } from './types.ts'

const hash = await loadHash()
const member = (number: number, id = `n${number}`, uid = `u-${id}`): Member => ({
  member: number,
  id,
  uid,
  url: `http://${id}`,
  version: '1',
  state: 'active',
})
const formation: Formation = { clusterId: 'c1', name: 'test', partitions: 6, replicas: 3, founders: [1, 2, 3].map((n) => member(n)) }
const found: MetaCommand = { name: 'found', formation, rows: rowsOf(firstTable(formation, hash)) }
const add = (id: string, uid = `u-${id}`): MetaCommand => ({ name: 'add_member', id, uid, url: `http://${id}`, version: '1' })
const ctx = {} as ApplyContext

function run(machine: MetaMachine, command: MetaCommand): Plain {
  const reply = machine.apply(ctx, 0, encodeMetaCommand(command))
  machine.check()
  return reply
}

/** `[false, code, message]`, of that code, and with this in the message. */
function refusal(code: string, message = ''): Plain {
  return [false, code, expect.stringContaining(message) as string]
}

function founded(onChange?: (view: MetaView) => void): MetaMachine {
  const machine = new MetaMachine(onChange)
  expect(run(machine, found)).toEqual([true, 1])
  return machine
}

/** What the leader of `meta` would do next: the next table, with everything moved at once. */
function settle(machine: MetaMachine): void {
  for (let step = 0; step < 20; step++) {
    const { view } = machine
    const survey = new Map(
      view.placements.map(({ group, replicas, lives }) => [group, replicas.map((one, at) => one * 1024 + (lives[at] ?? 0))]),
    )
    const command = planMeta(view, formation, survey, hash)
    if (!command) return
    expect((run(machine, command) as Plain[])[0]).toBe(true)
  }
  throw new Error('meta never comes to rest')
}

describe('the meta machine', () => {
  test('is founded once', () => {
    const epochs: number[] = []
    const machine = founded(({ epoch }) => epochs.push(epoch))
    expect(run(machine, found)).toEqual([true, 1])
    expect(run(machine, { ...found, formation: { ...formation, clusterId: 'c2' } } as MetaCommand)).toEqual(refusal('CONFIG_CONFLICT'))
    expect(machine.view).toMatchObject({ epoch: 1, formation: { clusterId: 'c1' }, members: formation.founders })
    expect(epochs).toEqual([1])
  })

  test('nothing happens before', () => {
    const machine = new MetaMachine()
    expect(run(machine, add('n4'))).toEqual(refusal('STARTING'))
    expect(machine.view.epoch).toBe(0)
  })

  test('joins: the same one twice is one, another disk is refused, an announced one is met', () => {
    const machine = founded()
    expect(run(machine, add('n4'))).toEqual([true, 4])
    expect(run(machine, add('n4'))).toEqual([true, 4])
    expect(run(machine, add('n4', 'other'))).toEqual(refusal('CONFIG_CONFLICT', 'members remove n4'))
    expect(run(machine, add('n5', ''))).toEqual([true, 5])
    expect(run(machine, add('n5', ''))).toEqual([true, 5])
    settle(machine)
    expect(machine.view.placements.some(({ replicas }) => replicas.includes(5))).toBe(false)
    expect(run(machine, add('n5', 'u5'))).toEqual([true, 5])
    expect(run(machine, add('n5', ''))).toEqual(refusal('CONFIG_CONFLICT'))
    settle(machine)
    expect(machine.view.members.map(({ state }) => state)).toEqual(Array<string>(5).fill('active'))
    expect(machine.view.placements.some(({ replicas }) => replicas.includes(5))).toBe(true)
    for (let n = 6; n <= MEMBERS_MAX; n++) run(machine, add(`n${n}`))
    expect(run(machine, add('one-more'))).toEqual(refusal('QUOTA'))
  })

  test('leaves: off the table, then forgotten; its number never comes back; the last one stays', () => {
    const machine = founded()
    expect(run(machine, { name: 'member_left', member: 2 })).toEqual(refusal('CONFIG_CONFLICT'))
    expect(run(machine, { name: 'remove_member', id: 'n2' })).toEqual([true, 2])
    expect(run(machine, { name: 'remove_member', id: 'n2' })).toEqual([true, 2])
    expect(run(machine, { name: 'member_left', member: 2 })).toEqual(refusal('CONFIG_CONFLICT', 'n2 still has meta'))
    expect(run(machine, add('n2', 'new'))).toEqual(refusal('CONFIG_CONFLICT'))
    settle(machine)
    expect(machine.view.members.map(({ id }) => id)).toEqual(['n1', 'n3'])
    expect(run(machine, add('n2', 'new'))).toEqual([true, 4])
    expect(run(machine, { name: 'remove_member', id: 'n2' })).toEqual([true, 4])
    expect(run(machine, { name: 'remove_member', id: 'n3' })).toEqual([true, 3])
    expect(run(machine, { name: 'remove_member', id: 'n1' })).toEqual(refusal('CONFIG_CONFLICT'))
    expect(run(machine, { name: 'remove_member', id: 'n9' })).toEqual(refusal('NOT_FOUND'))
  })

  test('a table counts only from the epoch it was computed from, and only for those who can carry it', () => {
    const machine = founded()
    const rows = rowsOf(machine.view.placements)
    const [first = [0, [1]] as const, ...rest] = rows
    const set = (list: typeof rows, epoch = machine.view.epoch): Plain => run(machine, { name: 'set_placement', epoch, rows: list })
    expect(set(rows, 0)).toEqual(refusal('VERSION_MISMATCH'))
    expect(set(rows)).toEqual([true, 1])
    expect(set(rest)).toEqual(refusal('INVALID_ARGUMENT'))
    expect(set([...rest, [999, [1]]])).toEqual(refusal('INVALID_ARGUMENT', 'there is no group 999'))
    expect(set([...rest, [first[0], [1, 1]]])).toEqual(refusal('INVALID_ARGUMENT'))
    expect(set([...rest, [first[0], [1, 9]]])).toEqual(refusal('INVALID_ARGUMENT'))
    expect(set([[first[0], [1]], ...rest])).toEqual([true, 2])
  })

  test('a replica that was replaced or given up never comes back under its old life', () => {
    const machine = founded()
    const lifeOf = (group: number, of: number): number | undefined => {
      const placement = machine.view.placements.find((one) => one.group === group)!
      return placement.lives[placement.replicas.indexOf(of)]
    }
    expect(run(machine, { name: 'replace_replica', member: 3, lives: [[2, 0]] })).toEqual([true, [[2, 1]]])
    // The same report again is answered, not counted.
    expect(run(machine, { name: 'replace_replica', member: 3, lives: [[2, 0]] })).toEqual([true, [[2, 1]]])
    expect([lifeOf(2, 3), lifeOf(2, 1)]).toEqual([1, 0])
    expect(
      run(machine, {
        name: 'retire_replica',
        member: 3,
        lives: [
          [2, 0],
          [2, 1],
          [3, 0],
        ],
      }),
    ).toEqual([true, [2]])
    const rows = rowsOf(machine.view.placements)
    const without = rows.map(([group, replicas]) => [group, group === 2 ? [1, 2] : replicas] as const)
    run(machine, { name: 'set_placement', epoch: machine.view.epoch, rows: without })
    run(machine, { name: 'set_placement', epoch: machine.view.epoch, rows })
    expect(lifeOf(2, 3)).toBe(1)
    run(machine, { name: 'set_placement', epoch: machine.view.epoch, rows: without })
    expect(run(machine, { name: 'retire_replica', member: 3, lives: [[2, 1]] })).toEqual([true, [2]])
    run(machine, { name: 'set_placement', epoch: machine.view.epoch, rows })
    expect(lifeOf(2, 3)).toBe(2)
  })

  test('what is no command is refused and changes nothing', () => {
    const machine = founded()
    const junk: Plain[] = [null, 7, 'add_member', [], ['add_member'], ['add_member', 1, 2, 3, 4], ['explode'], ['set_placement', 1, [[1]]]]
    for (const value of junk) expect(machine.apply(ctx, 0, packPlain(value))).toEqual(refusal('INVALID_ARGUMENT'))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => void machine.apply(ctx, 0, bytes)))
    expect(machine.view.epoch).toBe(1)
  })
})

/** The naive model: plain lists, searched from end to end. */
class Model {
  members: { number: number; id: string; uid: string; leaving: boolean }[] = [1, 2, 3].map((n) => ({
    number: n,
    id: `n${n}`,
    uid: `u-n${n}`,
    leaving: false,
  }))
  next = 4

  add(id: string, uid: string): number | null {
    const known = this.members.find((one) => one.id === id)
    if (!known) {
      this.members.push({ number: this.next, id, uid, leaving: false })
      return this.next++
    }
    if (known.leaving || (known.uid !== uid && known.uid !== '') || (uid === '' && known.uid !== '')) return null
    known.uid = uid
    return known.number
  }

  remove(id: string): number | null {
    const known = this.members.find((one) => one.id === id)
    if (!known || (!known.leaving && !this.members.some((one) => one !== known && !one.leaving && one.uid !== ''))) return null
    known.leaving = true
    return known.number
  }

  settle(): void {
    this.members = this.members.filter(({ leaving }) => !leaving)
  }
}

type Step =
  | { readonly kind: 'add'; readonly id: string; readonly uid: string }
  | { readonly kind: 'remove'; readonly id: string }
  | { readonly kind: 'settle' }
  | { readonly kind: 'replace' | 'retire'; readonly member: number; readonly group: number; readonly life: number }
const ids = fc.constantFrom('n1', 'n2', 'n3', 'n4', 'n5', 'n6')
const steps: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('add' as const), id: ids, uid: fc.constantFrom('', 'a', 'b', 'u-n2') }),
  fc.record({ kind: fc.constant('remove' as const), id: ids }),
  fc.record({ kind: fc.constant('settle' as const) }),
  fc.record({
    kind: fc.constantFrom('replace' as const, 'retire' as const),
    member: fc.integer({ min: 1, max: 8 }),
    group: fc.integer({ min: 0, max: 8 }),
    life: fc.integer({ min: 0, max: 3 }),
  }),
)

function take(machine: MetaMachine, model: Model, step: Step): void {
  const numberOf = (reply: Plain): Plain => ((reply as Plain[])[0] === true ? (reply as Plain[])[1]! : null)
  if (step.kind === 'add') expect(numberOf(run(machine, add(step.id, step.uid)))).toEqual(model.add(step.id, step.uid))
  else if (step.kind === 'remove') expect(numberOf(run(machine, { name: 'remove_member', id: step.id }))).toEqual(model.remove(step.id))
  else if (step.kind === 'settle') {
    settle(machine)
    model.settle()
  } else {
    const { member: of, group, life } = step
    run(machine, { name: step.kind === 'replace' ? 'replace_replica' : 'retire_replica', member: of, lives: [[group, life]] })
  }
  expect(machine.view.members.map((one) => [one.member, one.id, one.uid, one.state === 'leaving'])).toEqual(
    model.members.map(({ number, id, uid, leaving }) => [number, id, uid, leaving]),
  )
}

describe('against a model', () => {
  test('members are those of the model; lives never fall; a replica that was let go is never given again', () => {
    fc.assert(
      fc.property(fc.array(steps, { maxLength: 40 }), (list) => {
        const machine = founded()
        const model = new Model()
        const lives = new Map<string, number>()
        const gone = new Set<string>()
        for (const step of list) {
          if (step.kind === 'retire') {
            const key = `${step.group}/${step.member}/${step.life}`
            const reply = run(machine, { name: 'retire_replica', member: step.member, lives: [[step.group, step.life]] })
            if ((reply as Plain[])[0] === true && ((reply as Plain[])[1] as Plain[]).includes(step.group)) gone.add(key)
          } else take(machine, model, step)
          for (const { group, replicas, lives: now } of machine.view.placements) {
            for (const [at, of] of replicas.entries()) {
              const life = now[at] ?? 0
              expect(life).toBeGreaterThanOrEqual(lives.get(`${group}/${of}`) ?? 0)
              lives.set(`${group}/${of}`, life)
              expect(gone.has(`${group}/${of}/${life}`)).toBe(false)
            }
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('records carry the whole state, drained at any time; replicas agree byte by byte', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(steps, fc.boolean()), { maxLength: 30 }), (list) => {
        const [machine, twin, model] = [founded(), founded(), new Model()]
        const [disk, twins] = [new Map<string, Uint8Array>(), new Map<string, Uint8Array>()]
        const drain = (from: MetaMachine, to: Map<string, Uint8Array>): void =>
          from.drain((key, value) => {
            const name = new TextDecoder().decode(key)
            if (value === null) to.delete(name)
            else to.set(name, value)
          })
        const both = new Model()
        for (const [step, drained] of list) {
          take(machine, model, step)
          take(twin, both, step)
          if (drained) drain(machine, disk)
        }
        drain(machine, disk)
        drain(twin, twins)
        expect(machine.dirty).toBe(0)
        expect([...disk].sort(([a], [b]) => (a < b ? -1 : 1))).toEqual([...twins].sort(([a], [b]) => (a < b ? -1 : 1)))
        const views: MetaView[] = []
        const loaded = new MetaMachine((view) => views.push(view))
        run(loaded, found)
        loaded.reset()
        for (const [key, value] of [...disk].reverse()) loaded.load(new TextEncoder().encode(key), value)
        loaded.loaded()
        expect(loaded.view).toEqual(machine.view)
        expect(views.at(-1)).toEqual(machine.view)
        expect(loaded.dirty).toBe(0)
        // What the view does not show is there too: the next number, the lives of those who may come back.
        expect(run(loaded, add('new'))).toEqual(run(machine, add('new')))
        settle(loaded)
        settle(machine)
        expect(loaded.view).toEqual(machine.view)
      }),
      { numRuns: 200 },
    )
  })

  test('commands survive the wire', () => {
    const commands: MetaCommand[] = [
      found,
      add('n4'),
      { name: 'remove_member', id: 'n1' },
      { name: 'member_active', member: 4 },
      { name: 'member_left', member: 4 },
      { name: 'update_member', version: '2', url: 'u', uid: 'x', member: 4 },
      { name: 'set_placement', rows: [[0, [1, 2]]], epoch: 3 },
      { name: 'replace_replica', lives: [[0, 1]], member: 2 },
      { name: 'retire_replica', lives: [[0, 1]], member: 2 },
    ]
    for (const command of commands) expect(decodeMetaCommand(encodeMetaCommand(command))).toEqual(command)
  })
})
