import { afterEach, describe, expect, test } from 'vitest'
import { ColdMachine } from '../../test/cold-machine.ts'
import { ClusterBed } from '../../test/cluster-bed.ts'
import { FIRST_PARTITION, LOCKS_GROUP, META_GROUP } from '../base/ids.ts'
import { NO_GROUP } from '../io/wal/record.ts'
import { scanSegment } from '../io/wal/scan.ts'
import { segmentPath } from '../io/wal/segment.ts'
import { MemoryDisk } from '../io/storage-memory.ts'
import { AREA_COLD, areaKey, generations, prefixOf } from '../raft/host/keys.ts'

const FOUNDERS = ['n1', 'n2', 'n3']
let bed: ClusterBed
afterEach(() => bed.close())

async function threeNodes(partitions = 8): Promise<void> {
  bed = new ClusterBed({ partitions })
  await bed.start(FOUNDERS)
  await bed.until(() => bed.settled && bed.up.every((node) => node.view?.epoch === 1), 'the founding')
}

const api = (id: string) => bed.node(id).started!.cluster
const stateOf = (id: string, of: string) => bed.node(id).view?.members.find((member) => member.id === of)?.state

describe('a cluster', () => {
  test('three nodes form, found their groups, and are ready', async () => {
    await threeNodes()
    await bed.until(() => FOUNDERS.every((id) => api(id).ready().ready), 'all are ready')
    const status = await bed.ask(api('n2').status(), 'status')
    expect(status).toMatchObject({ cluster: 'test', node: 'n2', epoch: 1, quorum: true })
    expect(status.groups.map(({ id }) => id).slice(0, 3)).toEqual(['meta', 'locks', 'p0'])
    expect(status.groups.every(({ replicas }) => replicas.length === 3)).toBe(true)
    expect(status.nodes.map(({ state }) => state)).toEqual(['up', 'up', 'up'])
  })

  test('a single node is a cluster at once, and grows to three', async () => {
    bed = new ClusterBed({ partitions: 4 })
    await bed.start(['n1'])
    await bed.until(() => bed.settled, 'the founding')
    expect(await bed.add('n1', LOCKS_GROUP, 5)).toEqual({ ok: true, reply: 5 })
    await bed.start(['n2', 'n3'], ['n1'], true)
    await bed.until(() => stateOf('n1', 'n2') === 'active' && stateOf('n1', 'n3') === 'active' && bed.settled, 'all share everything')
    await bed.kill('n1')
    expect(await bed.add('n3', LOCKS_GROUP, 5)).toEqual({ ok: true, reply: 10 })
  })

  test('what is fixed with the formation stays, and a node that is set otherwise says so', async () => {
    await threeNodes(4)
    await bed.kill('n2')
    expect(bed.log.filter((line) => line.includes('cluster.partitions'))).toEqual([])
    bed.options = { partitions: 8, replicas: 5 }
    await bed.start(['n2'], FOUNDERS)
    expect(bed.log.filter((line) => line.includes('n2 warn cluster.partitions and cluster.replicas stay'))).toHaveLength(1)
    expect(api('n2').ring().partitions).toBe(4)
  })

  test('preferred leaders lead in the end, and again after one was away', async () => {
    await threeNodes()
    const preferred = () => bed.node('n1').view!.placements.every(({ group, replicas }) => bed.leaderOf(group)?.id === `n${replicas[0]}`)
    await bed.until(preferred, 'the preferred lead')
    await bed.kill('n2')
    await bed.until(() => bed.up.length === 2 && bed.node('n1').view!.placements.every(({ group }) => bed.leaderOf(group)), 'others lead')
    await bed.start(['n2'], FOUNDERS)
    await bed.until(preferred, 'the preferred lead again')
  })

  test('a fourth node joins and gets its share; one leaves and is forgotten; nothing is lost', async () => {
    await threeNodes()
    const groups = Array.from({ length: 8 }, (_, i) => FIRST_PARTITION + i)
    for (const group of groups) expect(await bed.add('n1', group, group)).toEqual({ ok: true, reply: group })
    await bed.start(['n4'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n4') === 'active' && bed.settled, 'n4 has its share')
    expect(bed.node('n4').started!.host.groups().length).toBeGreaterThanOrEqual(6)
    for (const group of groups) expect(await bed.add('n4', group, 1)).toEqual({ ok: true, reply: group + 1 })

    expect(await bed.ask(api('n3').removeMember('n2'), 'removal')).toEqual({ member: 2 })
    await bed.until(() => bed.node('n2').left, 'n2 holds nothing any more')
    await bed.until(() => stateOf('n1', 'n2') === undefined && bed.settled, 'n2 is forgotten')
    expect(bed.node('n2').started!.host.groups()).toEqual([])
    await bed.kill('n2')
    for (const group of groups) expect(await bed.add('n4', group, 1)).toEqual({ ok: true, reply: group + 2 })
    expect((await bed.ask(api('n4').status(), 'status')).nodes.map(({ id }) => id)).toEqual(['n1', 'n3', 'n4'])
  })

  test('a node that ends on purpose is known to be down before anybody could miss it, and leads nothing by then', async () => {
    await threeNodes()
    const from = bed.clock.now()
    const leaving = bed.end('n2')
    const others = ['n1', 'n3'].map((id) => bed.node(id).started!)
    await bed.until(() => others.every(({ detector }) => !detector.isUp('n2')), 'its word is heard')
    const groups = bed.node('n1').view!.placements.map(({ group }) => group)
    expect(groups.map((group) => bed.leaderOf(group)?.id)).not.toContain('n2')
    await bed.until(() => leaving.ended, 'n2 ends')
    expect(bed.clock.now() - from).toBeLessThan(800)
    await bed.start(['n2'], FOUNDERS)
    await bed.until(() => others.every(({ detector }) => detector.isUp('n2')), 'it is back')
  })

  test('a newcomer asks whom it has met, and does not wait for the others', async () => {
    await threeNodes()
    await bed.kill('n1')
    const began = bed.clock.now()
    await bed.start(['n4'], FOUNDERS, true)
    expect(bed.clock.now() - began).toBeLessThan(3_000)
  })

  test('a newcomer whom nobody answers says so', async () => {
    bed = new ClusterBed({ partitions: 8 })
    await bed.begin('n4', FOUNDERS, true)
    await bed.until(() => bed.log.some((line) => line.includes('nobody is there of n1, n2, n3')), 'a word')
    await bed.start(FOUNDERS)
    await bed.until(() => bed.node('n4').started !== null, 'n4 is taken in')
  })

  test('an emptied disk is refused with the way out named; the way works', async () => {
    await threeNodes()
    await bed.kill('n2')
    bed.node('n2').disk = new MemoryDisk()
    await bed.begin('n2', FOUNDERS)
    await bed.until(() => bed.node('n2').error !== null, 'n2 is refused')
    expect(bed.node('n2').error).toMatchObject({ name: 'IdentityError' })
    expect(bed.node('n2').error!.message).toMatch(/tricord members remove n2.*--join/)
    await bed.kill('n2')
    // Not before the old one was removed.
    await bed.begin('n2', FOUNDERS, true)
    await bed.until(() => bed.node('n2').error !== null, 'n2 is refused')
    expect(bed.node('n2').error!.message).toMatch(/tricord members remove n2/)
    await bed.kill('n2')

    await bed.ask(api('n1').removeMember('n2'), 'removal')
    await bed.until(() => stateOf('n1', 'n2') === undefined, 'the old n2 is forgotten')
    await bed.start(['n2'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n2') === 'active' && bed.settled, 'the new n2 has its share')
    expect(bed.node('n1').view!.members.find(({ id }) => id === 'n2')!.member).toBe(4)
  })

  test('a node that begins while a host of a group is away sends what is for the group to those that are there', async () => {
    const nodes = [...FOUNDERS, 'n4', 'n5']
    bed = new ClusterBed({ partitions: 8 })
    await bed.start(nodes)
    await bed.until(() => bed.settled && bed.up.every((node) => node.view?.epoch === 1), 'the founding')
    const [group, away, gateway] = bed
      .node('n1')
      .view!.placements.filter(({ group: id }) => id >= FIRST_PARTITION)
      .flatMap(({ group: id, replicas }) => nodes.flatMap((node, at) => (replicas.includes(at + 1) ? [] : [[id, `n${replicas[0]}`, node]])))
      .find(([, host, node]) => host !== node) as [number, string, string]
    await bed.kill(gateway)
    await bed.kill(away)
    await bed.until(() => bed.leaderOf(group) !== null && bed.leaderOf(group)!.id !== away, 'another leads')
    await bed.start([gateway], nodes)
    await bed.until(
      () => bed.up.every(({ started }) => started!.detector.isUp(gateway) || started === bed.node(gateway).started),
      'it is seen',
    )
    await bed.clock.pass(2_000)
    const began = bed.clock.now()
    expect(await bed.add(gateway, group, 4)).toEqual({ ok: true, reply: 4 })
    expect(bed.clock.now() - began).toBeLessThan(500)
  })

  test('a lost replica comes back with a new life', async () => {
    await threeNodes()
    const group = FIRST_PARTITION + 3
    await bed.add('n1', group, 7)
    const { host } = bed.node('n3').started!
    await bed.until(() => host.status(group)?.membership.voters.length === 3, 'n3 has it')
    // As if a disk error had taken it: not through the table.
    host.removeReplica(group)
    expect(bed.bugs.splice(0)).toHaveLength(1)
    await bed.until(() => host.status(group)?.serving === true && host.replicaOf(group) === 3 * 1024 + 1, 'it is back')
    await bed.until(() => bed.settled, 'all is as the table says')
    expect(bed.leaderOf(group)!.started!.host.status(group)!.membership.voters).toEqual([1024, 2048, 3 * 1024 + 1])
  })

  test('a flipped bit in the middle of the log: the node says so, and is repaired from the others', async () => {
    await threeNodes()
    const groups = Array.from({ length: 8 }, (_, i) => FIRST_PARTITION + i)
    for (let round = 1; round <= 3; round++) for (const group of groups) await bed.add('n2', group, 1)
    await bed.kill('n3')
    const [path = ''] = [...bed.node('n3').disk.files.keys()].filter((name) => name.startsWith('wal/'))
    const file = bed.node('n3').disk.files.get(path)!
    // Somewhere in what the log holds, far from its last batch.
    const used = file.bytes.findLastIndex((byte) => byte !== 0)
    const at = used >>> 1
    file.bytes[at] = (file.bytes[at] ?? 0) ^ 4
    await bed.start(['n3'], FOUNDERS)
    const { damaged } = bed.node('n3').started!.host
    expect(damaged.length).toBeGreaterThan(0)
    const hit = damaged.map(({ group }) => group)
    await bed.until(() => bed.settled, 'all is well again')
    for (const group of hit) expect(bed.node('n3').started!.host.replicaOf(group)).toBe(3 * 1024 + 1)
    expect(bed.log.some((line) => line.includes('n3 warn replicas are damaged or lost'))).toBe(true)
    await bed.kill('n1')
    for (const group of groups) expect(await bed.add('n3', group, 1)).toEqual({ ok: true, reply: 4 })
  })

  test('a founding replica of which rot left no trace, before the founding was noted, is a lost one', async () => {
    bed = new ClusterBed({ partitions: 8 })
    await bed.start(FOUNDERS)
    const { disk } = bed.node('n1')
    const path = segmentPath('wal', 1)
    const segment = () => scanSegment(Buffer.from(disk.files.get(path)!.bytes), 1)
    const last = () => segment().records.at(-1)?.record.batch
    await bed.until(() => last() === 2, 'its replicas are in the log')
    expect(
      FOUNDERS.flatMap((id) =>
        bed
          .node(id)
          .started!.host.groups()
          .map((group) => bed.leaderOf(group)),
      ),
    ).not.toContain(bed.node('n1'))
    await bed.kill('n1')
    const first = segment().records.filter(({ record }) => record.batch === 1)
    const lost = new Set(first.map(({ record }) => record.group).filter((group) => group !== NO_GROUP))
    for (const { offset, end } of first) disk.files.get(path)!.bytes.fill(0, offset, end)
    await bed.start(['n1'], FOUNDERS)
    expect(bed.node('n1').started!.host.logHoles).toBe(true)
    expect(bed.node('n1').started!.host.damaged.filter(({ group }) => lost.has(group))).toEqual([])
    await bed.until(() => bed.settled && bed.node('n1').started!.host.groups().length === 10, 'all is as the table says')
    for (const group of lost) expect(bed.node('n1').started!.host.replicaOf(group)).toBe(1024 + 1)
  })

  test('a replica found damaged while it serves hands over, votes until it is out, and comes back whole with a new life', async () => {
    bed = new ClusterBed({ partitions: 8, machine: () => new ColdMachine() })
    await bed.start(FOUNDERS)
    await bed.until(() => bed.settled, 'all share everything')
    const group = FIRST_PARTITION + 3
    const ids = Array.from({ length: 20 }, (_, i) => `k${i}`)
    for (const id of ids) await bed.do('n1', group, { note: id, text: `text of ${id}` })
    await bed.clock.pass(1_000)
    const leader = bed.leaderOf(group)!
    const { host } = leader.started!
    const before = host.replicaOf(group)!
    const key = areaKey(prefixOf(group, 1), AREA_COLD, (host.machine(group) as ColdMachine).keyOf('k7'))
    await leader.disk.stores.get('state')!.batch([{ key, value: null }], { sync: true })

    expect(await bed.do('n1', group, { read: 'k7' })).toMatchObject({ ok: true, reply: { text: 'text of k7' } })
    const sizes = new Set<number>()
    await bed.until(() => {
      const { voters = [] } = bed.leaderOf(group)?.started?.host.status(group)?.membership ?? {}
      if (voters.length > 0) sizes.add(voters.length)
      return voters.includes(before + 1) && host.status(group)?.serving === true && bed.settled
    }, 'it is whole again')
    expect([...sizes]).toEqual([3, 2])
    expect(host.damaged).toEqual([])
    // Every note is on its disk: it answers for all of them, alone with one other.
    await bed.kill(FOUNDERS.find((id) => id !== leader.id)!)
    await bed.until(() => bed.leaderOf(group) !== null, 'a leader')
    if (bed.leaderOf(group)!.id !== leader.id) {
      bed.leaderOf(group)!.started!.host.transferLeadership(group, before + 1)
      await bed.until(() => bed.leaderOf(group)?.id === leader.id, 'the new life leads')
    }
    for (const id of ids) expect(await bed.do(leader.id, group, { read: id })).toMatchObject({ reply: { text: `text of ${id}` } })
    expect(host.damaged).toEqual([])
  })

  test('one of two replicas that is found damaged while it serves is made anew as well', async () => {
    bed = new ClusterBed({ partitions: 2, machine: () => new ColdMachine() })
    await bed.start(['n1', 'n2'])
    await bed.until(() => bed.settled, 'both share everything')
    const group = FIRST_PARTITION + 1
    for (let i = 0; i < 5; i++) await bed.do('n1', group, { note: `k${i}`, text: `text of k${i}` })
    await bed.clock.pass(1_000)
    const leader = bed.leaderOf(group)!
    const { host } = leader.started!
    const before = host.replicaOf(group)!
    const key = areaKey(prefixOf(group, 1), AREA_COLD, (host.machine(group) as ColdMachine).keyOf('k3'))
    await leader.disk.stores.get('state')!.batch([{ key, value: null }], { sync: true })
    expect(await bed.do('n1', group, { read: 'k3' })).toMatchObject({ ok: true, reply: { text: 'text of k3' } })
    await bed.until(() => host.replicaOf(group) === before + 1 && bed.settled, 'it is whole again')
    expect(host.damaged).toEqual([])
  })

  test('a sleeping group whose leader is back at once, but not its replica, wakes up and is whole again', async () => {
    await threeNodes()
    const group = FIRST_PARTITION + 3
    await bed.add('n1', group, 7)
    const asleep = () => bed.up.every(({ started }) => started!.host.status(group)!.quiesced)
    await bed.until(asleep, 'the group sleeps')
    const leader = bed.leaderOf(group)!.id
    await bed.kill(leader)
    for (const store of bed.node(leader).disk.stores.values()) await store.clear(generations(group, 0, 2 ** 32 - 1))
    await bed.start([leader], FOUNDERS)
    const { host } = bed.node(leader).started!
    expect(host.damaged).toMatchObject([{ group }])
    await bed.until(() => host.status(group)?.serving === true && bed.settled, 'it is back')
    expect(bed.log.filter((line) => line.includes('is down'))).toEqual([])
  })

  test('a node whose disk is low gives its leads to those with room, keeps them where nobody has, and has them back later; two disks of three take no more', async () => {
    await threeNodes()
    const preferred = () => bed.node('n1').view!.placements.every(({ group, replicas }) => bed.leaderOf(group)?.id === `n${replicas[0]}`)
    await bed.until(preferred, 'the preferred lead')
    const groups = bed.node('n1').view!.placements.map(({ group }) => group)
    const leaders = () => groups.map((group) => bed.leaderOf(group)?.id ?? '')
    const partition = FIRST_PARTITION + 2
    bed.node('n1').disk.freeBytes = 1_000
    await bed.until(() => leaders().every((id) => id !== '' && id !== 'n1'), 'n1 leads nothing')
    expect(await bed.add('n1', partition, 1)).toEqual({ ok: true, reply: 1 })
    bed.node('n2').disk.freeBytes = 1_000
    await bed.until(() => leaders().every((id) => id === 'n3'), 'n3 leads all')
    const refused = { ok: false, error: { code: 'DISK_LOW', outcome: 'not-applied' } }
    // n3 has room, but a majority would have to store it.
    expect(await bed.add('n2', partition, 1)).toMatchObject(refused)
    // Long enough for the preferred leaders to be restored, if anybody tried.
    await bed.clock.pass(30_000)
    expect(new Set(leaders())).toEqual(new Set(['n3']))

    bed.node('n3').disk.freeBytes = 1_000
    await bed.until(() => bed.node('n3').started!.host.stats.diskRoom === 'low', 'n3 knows')
    await bed.clock.pass(2_000)
    const [before, term] = [leaders(), bed.node('n3').started!.host.status(partition)!.term]
    expect(await bed.add('n1', partition, 1)).toMatchObject(refused)
    await bed.clock.pass(5_000)
    expect([leaders(), bed.node('n3').started!.host.status(partition)!.term]).toEqual([before, term])
    for (const id of FOUNDERS) bed.node(id).disk.freeBytes = 2 ** 40
    const roomy = () => FOUNDERS.every((id) => bed.node(id).started!.host.stats.diskRoom === 'enough')
    await bed.until(() => roomy() && preferred(), 'the preferred lead again')
    const told = () => FOUNDERS.every((id) => FOUNDERS.every((other) => bed.node(id).started!.detector.roomOf(other) === 'enough'))
    await bed.until(told, 'all know it of each other')
    expect(await bed.add('n1', partition, 1)).toEqual({ ok: true, reply: 2 })
  })

  test('a replica that cannot begin for want of space begins once there is some', async () => {
    await threeNodes()
    const group = FIRST_PARTITION + 3
    const { host } = bed.node('n3').started!
    await bed.until(() => host.status(group)?.membership.voters.length === 3, 'n3 has it')
    bed.node('n3').disk.freeBytes = 0
    host.removeReplica(group)
    expect(bed.bugs.splice(0)).toHaveLength(1)
    await bed.until(() => bed.log.some((line) => line.includes('n3 error the disk is full: replicas')), 'it is said')
    expect(host.replicaOf(group)).toBeNull()
    bed.node('n3').disk.freeBytes = 2 ** 40
    await bed.until(() => host.status(group)?.serving === true && bed.settled, 'it is back')
  })

  test('those that were only announced count for no quorum; what is planned for one is what it gets', async () => {
    await threeNodes()
    for (const id of ['n4', 'n5', 'n6']) await bed.ask(api('n1').addMember({ id, url: '' }), 'the announcement')
    await bed.until(() => bed.settled && bed.node('n1').started!.directory.members.length === 6, 'rest')
    expect((await bed.ask(api('n1').status(), 'status')).quorum).toBe(true)
    const { moves: planned } = await bed.ask(api('n1').plan({ add: ['n6'], remove: [] }), 'the plan')
    expect(planned.length).toBeGreaterThan(0)
    await bed.start(['n6'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n6') === 'active' && bed.settled, 'n6 has its share')
    const { placements } = api('n1').ring()
    for (const { group, to } of planned) expect(placements.find((one) => one.group === group)?.replicas, group).toEqual(to)
  })

  test('what is planned for a new one is what it gets, also where the newest member has left', async () => {
    await threeNodes()
    await bed.ask(api('n1').addMember({ id: 'n4', url: '' }), 'the announcement')
    await bed.ask(api('n1').removeMember('n4'), 'removal')
    await bed.until(() => stateOf('n1', 'n4') === undefined && bed.settled, 'n4 is forgotten')
    const { moves: planned } = await bed.ask(api('n1').plan({ add: ['n5'], remove: [] }), 'the plan')
    await bed.start(['n5'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n5') === 'active' && bed.settled, 'n5 has its share')
    expect(bed.node('n1').view!.members.at(-1)).toMatchObject({ id: 'n5', member: 5 })
    const { placements } = api('n1').ring()
    expect(planned.length).toBeGreaterThan(0)
    for (const { group, to } of planned) expect(placements.find((one) => one.group === group)?.replicas, group).toEqual(to)
  })

  test('where a key is, is told by the table of now: who had it before is not named', async () => {
    await threeNodes()
    await bed.start(['n4'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n4') === 'active' && bed.settled, 'n4 has its share')
    for (const asked of ['n1', 'n4']) {
      const { placements, epoch } = api(asked).ring()
      for (let nth = 0; nth < 50; nth++) {
        const { partition, replicas, leader, epoch: of } = api(asked).explain(`key ${nth}`)
        expect([of, replicas]).toEqual([epoch, placements.find(({ group }) => group === `p${partition}`)?.replicas])
        // Who has no replica does not know who leads.
        expect(leader).toBe(replicas.includes(asked) ? bed.leaderOf(FIRST_PARTITION + partition)?.id : null)
      }
    }
  })

  test('one that was announced is taken in when it comes; a stranger is told how', async () => {
    await threeNodes()
    expect(await bed.ask(api('n2').addMember({ id: 'n4', url: 'http://n4' }), 'the announcement')).toEqual({ member: 4 })
    await bed.until(() => bed.settled, 'rest')
    expect((await bed.ask(api('n1').status(), 'status')).nodes.at(-1)).toMatchObject({ id: 'n4', state: 'down' })
    await bed.begin('n5', [...FOUNDERS, 'n5'])
    await bed.until(() => bed.node('n5').error !== null, 'n5 is refused')
    expect(bed.node('n5').error!.message).toContain('--join')
    await bed.kill('n5')
    await bed.start(['n4'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n4') === 'active' && bed.settled, 'n4 has its share')
    await expect(bed.ask(api('n2').addMember({ id: 'n1', url: '' }), 'a refusal')).rejects.toMatchObject({ code: 'CONFIG_CONFLICT' })
    await expect(bed.ask(api('n2').removeMember('n9'), 'a refusal')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    for (const { group } of bed.node('n1').view!.placements) if (group >= FIRST_PARTITION) await bed.add('n1', group, 1)
    await bed.clock.pass(2_000)
    const plan = await bed.ask(api('n3').plan({ add: ['n6'], remove: [] }), 'a plan')
    expect(plan.moves.length).toBeGreaterThan(0)
    expect(plan.moves.some(({ to }) => to.includes('n6'))).toBe(true)
    expect(plan.moves.every(({ group, bytes }) => bytes > 0 || !group.startsWith('p'))).toBe(true)
    expect(plan.bytes).toBe(plan.moves.reduce((sum, { bytes }) => sum + bytes, 0))
  })

  test('a node that leaves while another is down stays until its groups can do without it', async () => {
    await threeNodes()
    await bed.kill('n2')
    await bed.until(() => bed.up.every(({ started }) => !started!.detector.isUp('n2')), 'n2 is down')
    await bed.until(() => bed.node('n1').view!.placements.every(({ group }) => bed.leaderOf(group)), 'others lead')
    await bed.ask(api('n1').removeMember('n3'), 'removal')
    await bed.clock.pass(10_000)
    const groups = [META_GROUP, LOCKS_GROUP, FIRST_PARTITION, FIRST_PARTITION + 1]
    for (const group of groups.slice(1)) expect(await bed.add('n1', group, 1)).toEqual({ ok: true, reply: 1 })
    await bed.ask(api('n1').removeMember('n2'), 'removal')
    await bed.until(() => bed.node('n1').view?.members.length === 1 && bed.settled, 'n1 has everything')
    for (const group of groups.slice(1)) expect(await bed.add('n1', group, 1)).toEqual({ ok: true, reply: 2 })
  })

  test('one that dies just before another leaves is not counted on', async () => {
    await threeNodes()
    const groups = bed.node('n1').view!.placements.map(({ group }) => group)
    for (const group of groups) {
      await bed.until(() => bed.leaderOf(group) !== null, 'a leader')
      if (bed.leaderOf(group)!.id === 'n1') continue
      await bed.until(() => bed.leaderOf(group)?.started?.host.transferLeadership(group, 1024) === true, 'n1 may lead')
      await bed.until(() => bed.leaderOf(group)?.id === 'n1', 'n1 leads')
    }
    await bed.kill('n2')
    await bed.ask(api('n1').removeMember('n3'), 'removal')
    expect(bed.node('n1').started!.detector.isUp('n2')).toBe(true)
    await bed.clock.pass(10_000)
    for (const group of groups.slice(1)) expect(await bed.add('n1', group, 1)).toEqual({ ok: true, reply: 1 })
    await bed.start(['n2'], FOUNDERS)
    await bed.until(() => stateOf('n1', 'n3') === undefined && bed.node('n3').left && bed.settled, 'n3 has left')
  })

  test('a node that was removed while it was away finds out, and gives up what it holds', async () => {
    await threeNodes()
    await bed.start(['n4'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n4') === 'active' && bed.settled, 'n4 has its share')
    await bed.kill('n3')
    await bed.ask(api('n1').removeMember('n3'), 'removal')
    await bed.until(() => stateOf('n1', 'n3') === undefined && bed.settled, 'n3 is forgotten')
    await bed.start(['n3'], FOUNDERS)
    await bed.until(() => bed.node('n3').left, 'n3 knows')
    expect(bed.node('n3').started!.host.groups()).toEqual([])
  })

  test('the table survives everybody’s restart', async () => {
    await threeNodes()
    await bed.start(['n4'], FOUNDERS, true)
    await bed.until(() => stateOf('n1', 'n4') === 'active' && bed.settled, 'n4 has its share')
    const { epoch, placements } = bed.node('n1').view!
    for (const id of ['n1', 'n2', 'n3', 'n4']) await bed.kill(id)
    await bed.start(['n4', 'n1', 'n2', 'n3'], FOUNDERS)
    await bed.until(() => bed.settled, 'all is as before')
    expect(bed.node('n4').view).toMatchObject({ epoch, placements })
    expect(bed.node('n4').started!.host.status(META_GROUP)!.serving).toBe(true)
  })
})
