/** A disk that did not keep what it had synced: what a node does about replicas that have lost what they acknowledged. */
import { afterEach, expect, test } from 'vitest'
import { ClusterBed } from '../../test/cluster-bed.ts'
import { FIRST_PARTITION, type GroupId, META_GROUP } from '../base/ids.ts'
import type { MemoryDisk } from '../io/storage-memory.ts'
import { KIND_ENTRY } from '../io/wal/record.ts'
import { scanSegment } from '../io/wal/scan.ts'
import { segmentPath } from '../io/wal/segment.ts'

const FOUNDERS = ['n1', 'n2', 'n3']
let bed: ClusterBed
afterEach(() => bed.close())

/** As if the disk had never written it, nor anything since. */
function endLogBefore(disk: MemoryDisk, group: GroupId, index: number): void {
  const { bytes } = disk.files.get(segmentPath('wal', 1))!
  const { records } = scanSegment(Buffer.from(bytes), 1)
  const isIt = (record: (typeof records)[number]['record']) =>
    record.group === group && record.kind === KIND_ENTRY && record.index === index
  const { batch } = records.find(({ record }) => isIt(record))!.record
  bytes.fill(0, records.find(({ record }) => record.batch === batch)!.offset)
}

test.each([META_GROUP, FIRST_PARTITION + 3])(
  'group %s: a replica that has lost what it acknowledged is given up once its leader shows it, and made anew',
  async (group) => {
    bed = new ClusterBed({ partitions: 8 })
    await bed.start(FOUNDERS)
    await bed.until(() => bed.settled, 'the founding')
    const [victim = 'n3'] = FOUNDERS.filter((id) => id !== bed.leaderOf(group)!.id)
    const { disk } = bed.node(victim)
    const { host, cluster } = bed.node(victim).started!
    await bed.until(() => host.status(group)?.membership.voters.length === 3, 'it votes')
    await bed.clock.pass(1_000)
    const [before, { last }] = [host.replicaOf(group)!, host.status(group)!]
    if (group === META_GROUP) await bed.ask(cluster.addMember({ id: 'n9', url: '' }), 'an announcement')
    else await bed.add(victim, group, 1)
    await bed.until(() => host.status(group)!.durable > last, 'it has acknowledged that')
    await bed.kill(victim)
    endLogBefore(disk, group, last + 1)
    await bed.start([victim], FOUNDERS)
    const again = bed.node(victim).started!.host
    expect(again.damaged).toEqual([])
    await bed.until(() => bed.log.some((line) => line.includes(`${victim} error a replica is damaged: its log ends at`)), 'it finds out')
    await bed.until(() => again.replicaOf(group) === before + 1 && bed.settled, 'it is whole again')
    expect(bed.leaderOf(group)!.started!.host.status(group)!.membership.voters).toContain(before + 1)
    expect(again.damaged).toEqual([])
  },
)
