/**
 * A client that keeps what its node lends it, on a clock of its own, over a way that loses, doubles and delays; for simulations in time.
 * It asks, hears, acknowledges and serves when it is told to (`act`).
 */
import type { Borrower, Borrowers, Lender } from '../borrowers.ts'
import type { Copy } from '../copies.ts'
import type { LineId } from '../protocol.ts'

export interface DriftWorld {
  /** Of the client. */
  clock(): number
  /** Lossy, and takes its time. */
  send(run: () => void): void
  /** On the node, once that runs; `now` on its clock. */
  onNode(run: (now: number) => void): void
  /** What the node has. */
  copy(): Copy | undefined
  /** A version is served. */
  served(version: number): void
}

export class DriftClient {
  private readonly world: DriftWorld
  private readonly borrowers: Borrowers
  private readonly lender: Lender
  private readonly borrower: Borrower
  private readonly line: LineId
  private held: number | null = null
  private leaseUntil = -Infinity
  private heard = 0

  constructor(world: DriftWorld, borrowers: Borrowers, lender: Lender, line: LineId) {
    this.world = world
    this.borrowers = borrowers
    this.lender = lender
    this.line = line
    this.borrower = borrowers.open('client', 0) as Borrower
  }

  /** `choice`: 0 to 3. */
  act(choice: number): void {
    this.serve()
    if (choice === 0) this.ask()
    else if (choice === 1) this.beat()
    else this.hear()
  }

  serve(): void {
    if (this.held !== null && this.world.clock() < this.leaseUntil) this.world.served(this.held)
  }

  private ask(): void {
    const sentAt = this.world.clock()
    this.toNode((now) => {
      const version = this.world.copy()?.held.version ?? 0
      const lent = this.borrowers.lend(this.borrower, this.line, [{ line: this.line, version, lender: this.lender }], now)
      if (lent === null) return
      this.world.send(() => {
        if (this.heard > lent.after) return
        this.held = version
        this.leaseUntil = Math.max(this.leaseUntil, sentAt + lent.leaseMs)
      })
    })
  }

  private beat(): void {
    const [sentAt, acked] = [this.world.clock(), this.heard]
    this.toNode((now) => {
      const leaseMs = this.borrowers.beat(this.borrower, acked, now)
      this.world.send(() => (this.leaseUntil = Math.max(this.leaseUntil, sentAt + leaseMs)))
    })
  }

  private hear(): void {
    const { heard } = this
    this.toNode(() => {
      for (const { n } of this.borrowers.told(this.borrower, heard)) this.world.send(() => this.obey(n))
    })
  }

  private obey(n: number): void {
    if (n <= this.heard) return
    this.heard = n
    this.held = null
  }

  private toNode(run: (now: number) => void): void {
    this.world.send(() => this.world.onNode(run))
  }
}
