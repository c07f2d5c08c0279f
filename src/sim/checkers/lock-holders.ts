/** Never two incompatible holders of a lock, and the fencing tokens of new grants are above all earlier ones. By the log. */
import { LOCKS_GROUP, type LogIndex } from '../../base/ids.ts'
import type { LockStatus } from '../../lock/types.ts'
import { type Checker, violated } from './checker.ts'
import type { LockState, LockViews } from './lock-views.ts'

export function lockHolders(views: LockViews): Checker {
  /** Token -> the lowest index at which it was seen. */
  const firstSeen = new Map<number, LogIndex>()
  const highest = new Map<string, { readonly index: LogIndex; readonly token: number }>()

  const compatible = ({ name, holders }: LockStatus, index: LogIndex): void => {
    if (holders.length < 2 || holders.every(({ mode }) => mode === 'shared')) return
    const who = holders.map(({ owner, mode, token }) => `${owner} ${mode} ${token}`).join(', ')
    violated('compatible holders', LOCKS_GROUP, `${name} at ${index} is held by ${who}`)
  }

  const rising = (replica: string, { index, locks }: LockState): void => {
    const before = highest.get(replica)
    let top = before?.token ?? 0
    for (const { holders } of locks) {
      for (const { token } of holders) {
        const seenAt = firstSeen.get(token)
        if (seenAt === undefined || index < seenAt) firstSeen.set(token, index)
        top = Math.max(top, token)
        // New since this replica's last look, yet not above all that it had then.
        const isNew = before !== undefined && (seenAt === undefined || seenAt > before.index)
        if (isNew && token <= before.token) {
          violated('rising tokens', LOCKS_GROUP, `token ${token} was given after ${before.token}`)
        }
      }
    }
    highest.set(replica, { index, token: top })
  }

  return {
    seen(seen) {
      const state = views.read(seen)
      if (!state) return
      for (const lock of state.locks) compatible(lock, state.index)
      rising(`${seen.node}/${seen.life}/${seen.replica}`, state)
    },
  }
}
