import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Claim, FormationCore } from './formation-core.ts'
import type { Formation, Identity } from './types.ts'

const PEERS = ['n3', 'n1', 'n2']
const settings = { peers: PEERS, partitions: 4, replicas: 3 }
const claimOf = (id: string, uid: string, formation: Formation | null = null): Claim => ({
  id,
  uid,
  url: `http://${id}`,
  version: '1',
  formation,
})
const identityOf = (id: string, uid: string): Identity => ({
  node: id,
  uid,
  cluster: 'c',
  incarnation: 1,
  member: null,
  formation: null,
  founded: false,
})
const coreOf = (id: string, uid = `u-${id}`, peers = PEERS): FormationCore => {
  const { formation: _, ...self } = claimOf(id, uid)
  return new FormationCore(identityOf(id, uid), self, { ...settings, peers })
}

describe('formation', () => {
  test('only the lowest founder makes it, and only once it has heard all the others', () => {
    const core = coreOf('n1')
    expect(core.step('x', 'secret')).toEqual({ type: 'wait', missing: ['n3', 'n2'] })
    core.hear(claimOf('n2', 'u-n2'))
    expect(core.step('x', 'secret')).toEqual({ type: 'wait', missing: ['n3'] })
    core.hear(claimOf('n3', 'u-n3'))
    const step = core.step('x', 'secret')
    expect(step).toMatchObject({ type: 'adopt', formation: { clusterId: 'x', name: 'c' }, member: { member: 1, id: 'n1' } })
    const other = coreOf('n2')
    for (const id of ['n1', 'n3']) other.hear(claimOf(id, `u-${id}`))
    expect(other.step('y', 'secret')).toEqual({ type: 'wait', missing: [] })
  })

  test('a single node forms at once', () => {
    expect(coreOf('n1', 'u', ['n1']).step('x', 'secret')).toMatchObject({ type: 'adopt', member: { member: 1 } })
  })

  test('who is named with another disk, or not at all, is refused with the way out', () => {
    const core = coreOf('n1')
    for (const id of ['n2', 'n3']) core.hear(claimOf(id, `u-${id}`))
    const step = core.step('x', 'secret')
    const formation = step.type === 'adopt' ? step.formation : null
    const emptied = coreOf('n2', 'another')
    emptied.hear(claimOf('n3', 'u-n3', formation))
    expect(emptied.step('y', 'secret')).toMatchObject({
      type: 'refuse',
      reason: expect.stringMatching(/tricord members remove n2.*--join/) as string,
    })
    const stranger = coreOf('n9', 'u-n9', [...PEERS, 'n9'])
    stranger.hear(claimOf('n1', 'u-n1', formation))
    expect(stranger.step('y', 'secret')).toMatchObject({ type: 'refuse', reason: expect.stringContaining('--join') as string })
  })

  /** Each node: what is on its disk, and the core of this life. Crashes lose the core, never the disk. */
  interface Node {
    disk: Formation | null
    core: FormationCore
  }
  const anything = fc.record({
    action: fc.constantFrom('say', 'say', 'say', 'store', 'crash'),
    from: fc.constantFrom(...PEERS),
    to: fc.constantFrom(...PEERS),
    twice: fc.boolean(),
  })

  test('whatever is lost, doubled, late, and whoever crashes: one formation, and in the end everybody has it', () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 120 }), fc.array(fc.nat(), { maxLength: 40 }), (actions, late) => {
        const nodes = new Map<string, Node>(PEERS.map((id) => [id, { disk: null, core: coreOf(id) }]))
        const mail: { to: string; claim: Claim }[] = []
        const made = new Set<string>()
        let ids = 0
        const deliver = ({ to, claim }: (typeof mail)[number]): void => nodes.get(to)!.core.hear(claim)
        const store = (id: string): void => {
          const node = nodes.get(id)!
          if (node.disk) return
          const step = node.core.step(`f${ids++}`, 'secret')
          expect(step.type).not.toBe('refuse')
          if (step.type !== 'adopt') return
          node.disk = step.formation
          made.add(step.formation.clusterId)
          expect(step.formation.founders.map((founder) => founder.id)).toEqual(['n1', 'n2', 'n3'])
        }
        for (const { action, from, to, twice } of actions) {
          const node = nodes.get(from)!
          if (action === 'crash') node.core = coreOf(from)
          else if (action === 'store') store(from)
          else if (from !== to) {
            const letter = { to, claim: claimOf(from, `u-${from}`, node.disk) }
            mail.push(letter)
            if (twice) mail.push(letter)
          }
        }
        // What is not picked is lost; what is picked comes in any order.
        for (const pick of late) {
          if (mail.length > 0) deliver(mail.splice(pick % mail.length, 1)[0]!)
          store(PEERS[pick % 3]!)
        }
        for (let round = 0; round < 3; round++) {
          for (const from of PEERS) {
            for (const to of PEERS) if (to !== from) deliver({ to, claim: claimOf(from, `u-${from}`, nodes.get(from)!.disk) })
          }
          for (const id of ['n3', 'n2', 'n1']) store(id)
        }
        expect([...nodes.values()].every(({ disk }) => disk !== null)).toBe(true)
        expect(made.size).toBe(1)
      }),
      { numRuns: 500 },
    )
  })
})
