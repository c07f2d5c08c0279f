/**
 * The ordered key-value store that holds the state machines' records, behind one small interface:
 * RocksDB (`rocks.ts`), LevelDB (`level.ts`), memory (`memory.ts`). It is rebuildable from the log and
 * from peers, never the only keeper of a promise.
 *
 * Contract (one suite over all engines: `test/conformance/kv.ts`):
 *  1. A batch is atomic and batches take effect in the order of their calls.
 *  2. After a power cut a prefix of the batches survives, at least up to the last one with `sync`.
 *  3. An iterator sees the store as it was when it was made.
 *  4. Damage that the engine notices is told as KvDamagedError (`damage.ts`).
 *  5. No space is told as DiskFullError; nothing of that batch counts, and it may be tried again (`reopening.ts`).
 */

/** `value` null deletes. */
export interface KvOp {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export type KvPair = readonly [key: Uint8Array, value: Uint8Array]

/** Keys compare as bytes. Bounds are optional: absent means open. */
export interface KvRange {
  readonly gte?: Uint8Array
  readonly lt?: Uint8Array
}

export interface KvIterator {
  /** Up to `max` next pairs; an empty list means the end. */
  next(max: number): Promise<readonly KvPair[]>
  close(): Promise<void>
}

export interface Kv {
  readonly engine: 'rocksdb' | 'leveldb' | 'memory'
  get(key: Uint8Array): Promise<Uint8Array | undefined>
  /**
   * In the order of the keys. Many in one call cost little more than one alone: neighbours are found in the same blocks, and
   * 64 of them come at 4 us each, where an iterator over them is no faster (measured on LevelDB and RocksDB).
   */
  getMany(keys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>
  batch(ops: readonly KvOp[], options: { readonly sync: boolean }): Promise<void>
  iterate(range: KvRange): KvIterator
  /** Deletes every key of the range. Not atomic with anything else. */
  clear(range: KvRange): Promise<void>
  /**
   * Gives the disk back what was deleted or written over in the range: an engine that is let alone keeps it until enough else is
   * written, or for ever. Reads and writes go on meanwhile. True: of what lay deleted at the call, at most a third of what is
   * live beside it takes room still. False: something is in the way (a reader, say), or it is no more `wanted`; ask again.
   */
  compact(range: KvRange, wanted?: () => boolean): Promise<boolean>
  close(): Promise<void>
}
