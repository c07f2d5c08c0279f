/**
 * Lines of one partition of which clients of this node have copies: what they were lent is a copy like the node's own, so the home is
 * told that the node's is gone only once theirs are.
 *
 *   lend ──▶ lent ──inv, or the session is over──▶ called back ──all have given it back, or their leases are over──▶ returned: invAck
 *
 * Who has what, and until when, is known to `borrowers.ts`. The node's own copy may be evicted meanwhile: the home does not know.
 */
import type { NodeId } from '../../base/ids.ts'
import type { Copy } from './copies.ts'
import type { LineId } from './protocol.ts'

const NO_EPOCH = -1

interface Ack {
  readonly to: NodeId
  readonly t: number
}

interface LentLine {
  /** Of the session in which it was lent. */
  readonly epoch: number
  /** Of the grant under which it was lent first. */
  readonly g: number
  calledBack: boolean
  /** Revocations to be acknowledged when it is returned. */
  acks: Ack[]
}

export interface LentPort {
  /** Whoever was lent the line is to give it back; `Controller.returned` tells when all have, and that may be at once. */
  callBack(line: LineId): void
}

export class LentLines {
  readonly lines = new Map<LineId, LentLine>()
  private readonly port: LentPort

  constructor(port: LentPort) {
    this.port = port
  }

  /** False: it is being called back. */
  lend(line: LineId, { epoch, g }: Copy): boolean {
    const known = this.lines.get(line)
    if (known === undefined) this.lines.set(line, { epoch, g, calledBack: false, acks: [] })
    return known === undefined || !known.calledBack
  }

  /** `ack`: what waits for it. False: nobody was lent the line, or (in this session) only under later grants. */
  callBack(line: LineId, ack: Ack | null, epoch: number): boolean {
    const lent = this.lines.get(line)
    if (lent === undefined || (ack !== null && lent.epoch === epoch && ack.t < lent.g)) return false
    if (ack !== null && !lent.acks.some(({ t }) => t === ack.t)) lent.acks.push(ack)
    if (!lent.calledBack) {
      lent.calledBack = true
      this.port.callBack(line)
    }
    return true
  }

  callAllBack(): void {
    for (const line of this.lines.keys()) this.callBack(line, null, NO_EPOCH)
  }

  /** What may be acknowledged now; null: it was not lent. */
  returned(line: LineId): readonly Ack[] | null {
    const acks = this.lines.get(line)?.acks ?? null
    this.lines.delete(line)
    return acks
  }

  /** What an older term numbered means something else in this one. */
  forgetAcks(): void {
    for (const lent of this.lines.values()) lent.acks = []
  }

  /** Whether something is out that was lent in another session than this. */
  isOut(epoch: number): boolean {
    for (const lent of this.lines.values()) if (lent.epoch !== epoch) return true
    return false
  }
}
