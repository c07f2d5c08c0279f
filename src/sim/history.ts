/**
 * What the clients did and were told, and what that history must satisfy:
 *
 *  - the register locks are linearizable, each by itself;
 *  - no two operations were given the same token, and one idempotency key never two grants;
 *  - an operation that was refused without effect had none (it is left out, so a trace of it shows as impossible).
 */
import { type TimedOperation, checkLinearizable } from './linearizability.ts'
import { type LockOperation, lockModel } from './lock-model.ts'
import { SimFailure } from './world.ts'

interface Open {
  readonly name: string
  readonly call: number
  operation: LockOperation | null
  end: number
}

export interface HistoryReport {
  /** Keys whose search was given up. */
  readonly inconclusive: number
}

export class ClientHistory {
  readonly #operations: Open[] = []
  readonly #tokens = new Map<number, string>()
  #clock = 0
  acknowledged = 0
  unknown = 0

  get operations(): number {
    return this.#operations.length
  }

  begin(name: string): Open {
    const open = { name, call: ++this.#clock, operation: null, end: Infinity }
    this.#operations.push(open)
    return open
  }

  /** Ends with a result that is known, or (`known` false) may still happen. Never called: it did not happen. */
  end(open: Open, operation: LockOperation, known: boolean): void {
    open.operation = operation
    open.end = known ? ++this.#clock : Infinity
    if (known) this.acknowledged++
    else this.unknown++
  }

  /** A grant was acknowledged to `by` (an operation, however often it was sent). */
  granted(token: number, by: string): void {
    const known = this.#tokens.get(token)
    if (known !== undefined && known !== by) throw new SimFailure(`tokens: ${token} was given to ${known} and to ${by}`)
    this.#tokens.set(token, by)
  }

  /** Throws where a register lock was not linearizable. */
  check(): HistoryReport {
    let inconclusive = 0
    const names = new Set(this.#operations.map(({ name }) => name))
    for (const name of [...names].sort()) {
      const history = this.#timed(name)
      const verdict = checkLinearizable(lockModel, history)
      if (verdict === 'unknown') inconclusive++
      if (verdict === 'not linearizable') throw new SimFailure(`linearizability: ${name}\n${history.map(describe).join('\n')}`)
    }
    return { inconclusive }
  }

  #timed(name: string): TimedOperation<LockOperation>[] {
    const timed: TimedOperation<LockOperation>[] = []
    for (const { name: of, call, end, operation } of this.#operations) {
      if (of === name && operation) timed.push({ call, return: end, operation })
    }
    return timed
  }
}

function describe({ call, return: end, operation }: TimedOperation<LockOperation>): string {
  return `  ${call}..${end} ${JSON.stringify(operation)}`
}
