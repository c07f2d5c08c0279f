/**
 * Bytes on a disk: the smallest disk the platform needs. Real (`storage-file.ts`), in memory
 * (`storage-memory.ts`), simulated with torn writes, lost unsynced bytes and bit rot (`sim/disk.ts`).
 *
 * Rules the callers rely on:
 *  1. Bytes survive a power cut only once a `sync` that began after their write has resolved.
 *  2. Names (create, rename, remove) survive only once `syncDirectory` has resolved; `replace` includes it.
 *  3. A rejected write or sync is final: the caller stops the process, it never tries again (fsyncgate).
 *     The one exception is ENOSPC on a *write*, reported as DiskFullError before anything was acknowledged.
 * Paths are relative to the storage's root and use `/`.
 */
import type { Kv } from './kv/kv.ts'

export interface File {
  /** Writes all the chunks, one after the other, from `position` on. */
  write(position: number, chunks: readonly Uint8Array[]): Promise<void>
  /** As `write`, and resolves when the bytes are durable (one trip where the system can: O_DSYNC). */
  writeDurable(position: number, chunks: readonly Uint8Array[]): Promise<void>
  /** Makes all writes that resolved before durable. */
  sync(): Promise<void>
  /** Up to `length` bytes; fewer only at the end of the file. */
  read(position: number, length: number): Promise<Uint8Array>
  size(): Promise<number>
  truncate(length: number): Promise<void>
  close(): Promise<void>
}

export interface Storage {
  /** Opens a file for reading and writing, creating it (and its directories) where it is missing. */
  open(path: string): Promise<File>
  /** The whole file, or null where there is none. */
  readFile(path: string): Promise<Uint8Array | null>
  /** Replaces the whole file durably or leaves the old one: write aside, sync, rename, sync directory. */
  replace(path: string, bytes: Uint8Array): Promise<void>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Names of the files directly in `directory`, sorted; empty where it does not exist. */
  list(directory: string): Promise<readonly string[]>
  syncDirectory(directory: string): Promise<void>
  /** The key-value store kept in `directory`. One opening at a time. */
  kv(directory: string): Promise<Kv>
  /**
   * Keeps the store of that directory, which is not open, under another name, so that the next opening begins an empty one:
   * it is damaged, and somebody may want to look at it. Resolves with that name once it is durable.
   */
  setAside(directory: string): Promise<string>
  /** Free bytes on the disk that holds the root. */
  freeBytes(): Promise<number>
  /** Refuses a second process on the same root (a lock file); call once at start. */
  lock(): Promise<void>
  /** Resolves once the replacements under way are over: another process may take the root then, and must not be written over. */
  close(): Promise<void>
}

/** No space left: nothing of the failed write counts; the caller may go on reading and free space. */
export class DiskFullError extends Error {
  override readonly name = 'DiskFullError'
}
