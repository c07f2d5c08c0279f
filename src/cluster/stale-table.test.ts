/** A node that was away while the members changed finds its way back, whoever leads `meta` by then. */
import { expect, test } from 'vitest'
import { ClusterBed } from '../../test/cluster-bed.ts'
import { META_GROUP, type NodeId } from '../base/ids.ts'

const FOUNDERS: readonly NodeId[] = ['n1', 'n2', 'n3']

test('it hears a leader of meta that came after its table was written, and asks around for the table of today', async () => {
  const bed = new ClusterBed({ partitions: 2 })
  await bed.start(FOUNDERS)
  await bed.until(() => bed.settled, 'the founding')
  await bed.kill('n1')
  await bed.start(['n4'], FOUNDERS, true)
  const { started } = bed.node('n4')
  await bed.until(
    () => started!.host.status(META_GROUP)?.membership.voters.includes(started!.host.replicaOf(META_GROUP)!) === true,
    'n4 votes',
  )
  await bed.until(() => {
    const leader = bed.leaderOf(META_GROUP)
    if (leader && leader.id !== 'n4') leader.started!.host.transferLeadership(META_GROUP, started!.host.replicaOf(META_GROUP)!)
    return leader?.id === 'n4'
  }, 'n4 leads meta')
  await bed.start(['n1'], FOUNDERS)
  expect(bed.leaderOf(META_GROUP)?.id).toBe('n4')
  await bed.until(() => bed.node('n1').view?.members.length === 4, 'n1 knows of n4', 30_000)
  await bed.until(() => bed.settled, 'rest')
  await bed.close()
})
