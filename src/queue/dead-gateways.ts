/**
 * Ends the waits of callers whose gateway is gone: else messages would be leased to nobody until those waits are over, and each
 * would come back only when its lease ends, as a delivery that failed.
 *
 *   every second, where this node leads:  lives of gateways that wait ──> over, and so they were a second ago ──> abandon, through the log
 *
 * A life is over when a later one of its node is known, and taken to be over while its node does not answer. The latter may be
 * wrong: then a caller hears that nothing came, and asks again.
 */
import type { GroupId, Incarnation, Millis, NodeId } from '../base/ids.ts'
import type { Proposer } from '../raft/proposer.ts'
import { encodeCommand } from './codec.ts'
import type { QueueMachine } from './machine.ts'

const SWEEP_MS: Millis = 1_000
const SUBMIT_MS: Millis = 5_000

interface Timer {
  cancel(): void
}

export interface DeadGatewaysOptions {
  readonly clock: { after(delayMs: Millis, run: () => void): Timer }
  readonly proposer: Pick<Proposer, 'submit'>
  /** Those of this node. */
  readonly machines: Iterable<readonly [GroupId, Pick<QueueMachine, 'gateways'>]>
  leads(group: GroupId): boolean
  isOver(node: NodeId, incarnation: Incarnation): boolean
}

export function lifeOf(node: NodeId, incarnation: Incarnation): string {
  return `${node}@${incarnation}`
}

/** Until it is closed. */
export function endWaitsOfDeadGateways(options: DeadGatewaysOptions): { close(): void } {
  const { clock, proposer, machines } = options
  const underWay = new Set<GroupId>()
  let suspected = new Set<string>()
  let timer: Timer
  const isOver = (life: string): boolean => {
    const at = life.lastIndexOf('@')
    return options.isOver(life.slice(0, at), Number(life.slice(at + 1)))
  }
  const abandon = (group: GroupId, gateway: string): void => {
    underWay.add(group)
    const command = encodeCommand({ type: 'queue_abandon', gateway })
    proposer.submit(group, command, { timeoutMs: SUBMIT_MS, essential: true }, () => void underWay.delete(group))
  }
  const sweep = (): void => {
    const over = new Set<string>()
    for (const [group, machine] of machines) {
      const lives = machine.gateways()
      if (lives.length === 0 || !options.leads(group)) continue
      for (const life of lives) {
        if (!isOver(life)) continue
        over.add(life)
        // One at a time: what is left, or came of nothing, is for the next sweep.
        if (suspected.has(life) && !underWay.has(group)) abandon(group, life)
      }
    }
    suspected = over
    timer = clock.after(SWEEP_MS, sweep)
  }
  timer = clock.after(SWEEP_MS, sweep)
  return { close: () => timer.cancel() }
}
