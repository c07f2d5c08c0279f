/**
 * What happens together or not at all on one partition: operations on its queues, and values put into its caches.
 * The only file of `transaction/` that the API may see.
 */
import type { TricordError } from '../base/errors.ts'
import type { EntryName, NewValue } from '../cache/types.ts'
import type { CommandOptions, Receipt, TransactionOp, TransactionResult } from '../queue/types.ts'

export interface CachePutOp extends EntryName {
  readonly type: 'cache_put'
  readonly value: NewValue
}

export type Op = TransactionOp | CachePutOp

export interface Transaction {
  readonly type: 'tx'
  /** In their order: each meets what those before it left. */
  readonly ops: readonly Op[]
}

export interface PutResult {
  readonly put: { readonly key: string; readonly version: number; readonly created: boolean }
}

export interface Transacted {
  readonly type: 'transacted'
  /** One for each op. */
  readonly results: readonly (TransactionResult | PutResult)[]
  readonly receipt: Receipt
}

export interface Transactions {
  /**
   * CROSS_PARTITION where the queues and the keys do not share one. The first op that would be refused refuses all (`op`: which).
   * OWNER_BUSY: nodes that write the line of a key alone (`writeback`) gave it back and took it again each time.
   */
  submit(transaction: Transaction, options: CommandOptions, done: (reply: Transacted | TricordError) => void): { cancel(): void }
}
