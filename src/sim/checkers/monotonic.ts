/** Within a life term, commit, applied and cluster time never go back; a vote, once cast in a term, stays (thesis 3.4). */
import { type Checker, violated } from './checker.ts'

export function monotonic(): Checker {
  return {
    seen({ node, group, status, before }) {
      if (!before) return
      const back = (what: string, now: number, then: number): void => {
        if (now < then) violated('monotonic', group, `${what} of ${node} went back from ${then} to ${now}`)
      }
      back('term', status.term, before.term)
      back('commit', status.commit, before.commit)
      back('applied', status.applied, before.applied)
      back('cluster time', status.appliedTime, before.appliedTime)
      if (status.term === before.term && before.vote !== 0 && status.vote !== before.vote) {
        violated('monotonic', group, `${node} voted for ${before.vote} and then for ${status.vote} in term ${status.term}`)
      }
    },
  }
}
