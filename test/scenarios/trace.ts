/** How a transcript writes things: short, in the words of the paper, `term/index` for a place in a log. */
import type { RaftCore } from '../../src/raft/core/raft-core.ts'
import type { AppendWork, Entry, HardState, Membership, PeerMessage } from '../../src/raft/core/types.ts'
import { decodeMembership } from '../../src/raft/core/config-change.ts'

export function traceEntry(entry: Entry): string {
  const place = `${entry.term}/${entry.index}`
  if (entry.type === 2) return `${place} noop`
  if (entry.type === 1) return `${place} config ${traceMembership(decodeMembership(entry.data))}`
  return `${place} "${Buffer.from(entry.data).toString()}"`
}

/** Long lists in a transcript hide what matters. */
function traceEntries(entries: readonly Entry[]): string {
  if (entries.length <= 4) return `[${entries.map(traceEntry).join(', ')}]`
  return `[${traceEntry(entries[0]!)} ... ${traceEntry(entries.at(-1)!)}]`
}

export function traceMembership(membership: Membership): string {
  const { voters, outgoing, learners, learnersNext } = membership
  const joint = outgoing.length > 0 ? `&&{${outgoing}}` : ''
  const watching = learners.length > 0 ? ` learners {${learners}}` : ''
  const next = learnersNext.length > 0 ? ` then learners {${learnersNext}}` : ''
  return `{${voters}}${joint}${watching}${next}`
}

/** Without sender and receiver, which the line tells anyway. */
export function traceMessage(message: PeerMessage): string {
  const t = `t${message.term}`
  switch (message.type) {
    case 'request_vote':
      return `${name(message.preVote)} ${t} last ${message.lastTerm}/${message.lastIndex}${message.transfer ? ' transfer' : ''}`
    case 'vote_response':
      return `${name(message.preVote)}_response ${t} ${message.granted ? 'granted' : 'refused'} commit ${message.commitTerm}/${message.commit}`
    case 'append_entries': {
      const entries = message.entries.length > 0 ? ` ${traceEntries(message.entries)}` : ''
      return `append_entries ${t} after ${message.prevTerm}/${message.prevIndex} commit ${message.commit}${entries}`
    }
    case 'append_response':
      if (!message.reject) return `append_response ${t} ${message.index}`
      return `append_response ${t} rejects ${message.index} hint ${message.hintTerm}/${message.hintIndex}`
    case 'heartbeat':
      return `heartbeat ${t} commit ${message.commit} read ${message.readSeq}${message.quiesce ? ' quiesce' : ''}`
    case 'heartbeat_response':
      return `heartbeat_response ${t} read ${message.readSeq}${message.quiesced ? ' quiesced' : ''}`
    case 'install_snapshot': {
      const { index, term, membership } = message.snapshot
      return `install_snapshot ${t} of ${term}/${index} ${traceMembership(membership)}`
    }
    case 'timeout_now':
      return `timeout_now ${t}`
    case 'read_index':
      return `read_index ${t} #${message.readId}`
    case 'read_index_response':
      return `read_index_response ${t} #${message.readId} ${message.reject ? 'refused' : `at ${message.index}`}`
  }
}

function name(preVote: boolean): string {
  return preVote ? 'pre_vote' : 'vote'
}

export function traceWork(work: AppendWork): string {
  const parts: string[] = []
  if (work.hardState !== null) parts.push(traceHardState(work.hardState))
  if (work.snapshot !== null) parts.push(`snapshot ${work.snapshot.term}/${work.snapshot.index}`)
  if (work.entries.length > 0) parts.push(traceEntries(work.entries))
  if (!work.mustSync) parts.push('(no sync)')
  return parts.join(' ')
}

export function traceHardState(state: HardState): string {
  return `term ${state.term} vote ${state.vote} commit ${state.commit}`
}

/** What a reader wants to be told of whenever it changes. */
export function traceCore(core: RaftCore): string {
  const transferee = core.status().transferee
  const handing = transferee === 0 ? '' : ` handing over to ${transferee}`
  const sleeping = core.quiesced ? ' asleep' : ''
  return `${core.role} t${core.term} leader ${core.leader} commit ${core.commit} ${traceMembership(core.appliedMembership)}${handing}${sleeping}`
}
