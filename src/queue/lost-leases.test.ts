/** From the event of a machine to whoever watches. */
import { expect, test } from 'vitest'
import { ManualClock } from '../../test/manual-clock.ts'
import type { Actor, ActorSystem } from '../actors/actor.ts'
import type { Envelope, Plain } from '../actors/envelope.ts'
import { LOCKS_GROUP, partitionGroup } from '../base/ids.ts'
import type { GroupHost } from '../raft/group-host.ts'
import { createLostLeases, routeLostLeases } from './lost-leases.ts'

function bed(incarnation: number) {
  const clock = new ManualClock()
  let actor: Actor | null = null
  const spawn = (path: string, spawned: Actor) => {
    actor = spawned
    return `n1:gw/${path}`
  }
  const lostLeases = createLostLeases({ incarnation, clock, spawn } as unknown as ActorSystem)
  const send = (receiverId: string, msgType: string, payload: Plain) => {
    expect(receiverId).toBe('n1:gw/lost_leases')
    actor?.receive({ msgType, payload } as Envelope, {} as never)
  }
  let tell: Parameters<GroupHost['onEvent']>[0] = () => {}
  routeLostLeases({ onEvent: (listener) => void (tell = listener) }, send)
  const lose = (watcher: string) => {
    const event = { type: 'lease_lost', watcher, queue: 'q', id: 'm_1_1', token: 4 }
    tell(partitionGroup(3), event, 1, 1)
    tell(partitionGroup(3), ['expired', 'what', 'else'], 1, 1)
    tell(LOCKS_GROUP, event, 1, 1)
  }
  return { lostLeases, lose, send }
}

test('each watcher hears of its own leases, until it ends', () => {
  const { lostLeases, lose, send } = bed(3)
  const heard: string[] = []
  const [a, b] = ['a', 'b'].map((name) => lostLeases.watch(({ id, queue, token }) => heard.push(`${name} ${queue} ${id} ${token}`)))
  lose(a?.watcher ?? '')
  lose(b?.watcher ?? '')
  expect(heard).toEqual(['a q m_1_1 4', 'b q m_1_1 4'])
  a?.end()
  lose(a?.watcher ?? '')
  send('n1:gw/lost_leases', 'queue_lease_lost', 'nonsense')
  send('n1:gw/lost_leases', 'other', ['3-2', 'q', 'm_1_1', 4])
  expect(heard).toHaveLength(2)
})

test('a watcher of an earlier life means nobody in this one', () => {
  const earlier = bed(3).lostLeases.watch(() => expect.unreachable()).watcher
  const { lostLeases, lose } = bed(4)
  lostLeases.watch(() => expect.unreachable())
  lose(earlier)
  lose('')
})
