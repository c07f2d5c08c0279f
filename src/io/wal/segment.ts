/**
 * Segments: the files of the log, preallocated and filled with zeros so that a durable write changes no metadata.
 *
 *   <16 digits>.wal = | "TRIWAL01" | number f64 | first batch f64 | u32 crc of these | zeros to 64 | records … | zeros |
 *
 * A segment appears under its name only when it is whole and durable: written aside, synced, renamed, directory synced.
 */
import { crc32 } from '../crc32.ts'
import { DiskFullError, type File, type Storage } from '../storage.ts'

export const SEGMENT_HEADER_BYTES = 64
const MAGIC = Buffer.from('TRIWAL01', 'latin1')
const ZEROS = Buffer.alloc(1024 * 1024)
const SUFFIX = '.wal'

export interface Segment {
  readonly number: number
  readonly file: File
  readonly bytes: number
}

export function segmentPath(directory: string, number: number): string {
  return `${directory}/${String(number).padStart(16, '0')}${SUFFIX}`
}

/** Numbers of the segments in the directory, rising. */
export async function listSegments(storage: Storage, directory: string): Promise<readonly number[]> {
  const names = await storage.list(directory)
  const numbers = names.filter((name) => /^\d{16}\.wal$/.test(name)).map((name) => Number(name.slice(0, 16)))
  return numbers.sort((a, b) => a - b)
}

function encodeHeader(number: number, firstBatch: number): Buffer {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  MAGIC.copy(header)
  header.writeDoubleLE(number, 8)
  header.writeDoubleLE(firstBatch, 16)
  header.writeUInt32LE(crc32(header.subarray(0, 24)), 24)
  return header
}

/** The first batch that the header names, or null where it is damaged. */
export function decodeHeader(bytes: Buffer, number: number): number | null {
  if (bytes.length < SEGMENT_HEADER_BYTES || !bytes.subarray(0, 8).equals(MAGIC)) return null
  if (bytes.readUInt32LE(24) !== crc32(bytes.subarray(0, 24)) || bytes.readDoubleLE(8) !== number) return null
  return bytes.readDoubleLE(16)
}

/** A file full of zeros, ready to become a segment: what can be done ahead of need. */
export async function preallocate(storage: Storage, path: string, bytes: number): Promise<File> {
  const file = await storage.open(path)
  try {
    await file.truncate(0)
    for (let at = 0; at < bytes; at += ZEROS.length) await file.write(at, [ZEROS.subarray(0, Math.min(ZEROS.length, bytes - at))])
    await file.sync()
    return file
  } catch (error) {
    // What could be had of a full disk is given back: others need it to free more.
    if (error instanceof DiskFullError) await file.truncate(0)
    await file.close()
    throw error
  }
}

/** Turns a preallocated file into the segment of that number. */
export async function publish(
  storage: Storage,
  directory: string,
  from: string,
  file: File,
  number: number,
  firstBatch: number,
): Promise<void> {
  await file.writeDurable(0, [encodeHeader(number, firstBatch)])
  await storage.rename(from, segmentPath(directory, number))
  await storage.syncDirectory(directory)
}
