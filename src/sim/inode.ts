/**
 * One file of a simulated disk: what the process sees, and what would be left after a power cut.
 *
 *   write ──(completes)──> current, sectors dirty ──sync──> durable
 *   writeDurable ──(completes)──> current and durable
 *   power cut: durable, plus any subset of the dirty sectors and of the sectors of unfinished writes
 *
 * Sectors of 512 bytes are atomic. A sync covers what had completed when it began, as it was then.
 */
import type { Dice } from './dice.ts'

export const SECTOR = 512

/** What a sync carries to the platter: taken when it begins, landed when it completes. */
export interface Dirt {
  readonly size: number
  readonly sectors: ReadonlyMap<number, Uint8Array>
}

class Image {
  bytes = new Uint8Array(0)
  size = 0

  reserve(length: number): void {
    if (length <= this.bytes.length) return
    const larger = new Uint8Array(Math.max(length, this.bytes.length * 2))
    larger.set(this.bytes)
    this.bytes = larger
  }

  put(position: number, bytes: Uint8Array): void {
    this.reserve(position + bytes.length)
    this.bytes.set(bytes, position)
    this.size = Math.max(this.size, position + bytes.length)
  }

  resize(length: number): void {
    this.reserve(length)
    if (length < this.size) this.bytes.fill(0, length, this.size)
    this.size = length
  }

  sector(number: number): Uint8Array {
    this.reserve((number + 1) * SECTOR)
    return this.bytes.slice(number * SECTOR, (number + 1) * SECTOR)
  }

  putSector(number: number, bytes: Uint8Array): void {
    this.reserve((number + 1) * SECTOR)
    this.bytes.set(bytes, number * SECTOR)
  }
}

export class Inode {
  /** The name it was last given. */
  path = ''
  readonly #current = new Image()
  #durable = new Image()
  #dirty = new Set<number>()

  get size(): number {
    return this.#current.size
  }
  get clean(): boolean {
    return this.#dirty.size === 0 && this.#durable.size === this.#current.size
  }

  read(position: number, length: number): Uint8Array {
    const end = Math.min(position + length, this.#current.size)
    return this.#current.bytes.slice(Math.min(position, end), end)
  }

  /** The bytes on the platter; a view. */
  platter(): Uint8Array {
    return this.#durable.bytes.subarray(0, this.#durable.size)
  }

  write(position: number, bytes: Uint8Array): void {
    this.#current.put(position, bytes)
    this.#mark(position, position + bytes.length)
  }

  writeDurable(position: number, bytes: Uint8Array): void {
    this.write(position, bytes)
    if (bytes.length === 0) return
    const last = Math.floor((position + bytes.length - 1) / SECTOR)
    for (let sector = Math.floor(position / SECTOR); sector <= last; sector++) {
      this.#durable.putSector(sector, this.#current.sector(sector))
      this.#dirty.delete(sector)
    }
    this.#durable.size = Math.max(this.#durable.size, position + bytes.length)
  }

  truncate(length: number): void {
    const old = this.#current.size
    this.#current.resize(length)
    this.#mark(Math.min(length, old), Math.max(length, old))
  }

  #mark(from: number, to: number): void {
    for (let sector = Math.floor(from / SECTOR); sector * SECTOR < to; sector++) this.#dirty.add(sector)
  }

  /** The kernel takes the dirty pages in hand. */
  takeDirt(): Dirt {
    const sectors = new Map([...this.#dirty].map((sector) => [sector, this.#current.sector(sector)]))
    return { size: this.#current.size, sectors }
  }

  /** They have reached the platter. A sector rewritten meanwhile stays dirty. */
  land(dirt: Dirt): void {
    for (const [sector, bytes] of dirt.sectors) {
      this.#durable.putSector(sector, bytes)
      const now = this.#current.sector(sector)
      if (bytes.every((byte, i) => byte === now[i])) this.#dirty.delete(sector)
    }
    if (dirt.size < this.#durable.size) this.#durable.resize(dirt.size)
    this.#durable.size = dirt.size
  }

  /** A failed fsync: the pages are marked clean and will never be written (fsyncgate). */
  dropDirt(): void {
    this.#dirty.clear()
  }

  /** The power goes: each unsynced sector survives with the given probability. */
  crash(dice: Dice, survival: number): void {
    const size = dice.chance(survival) ? this.#current.size : this.#durable.size
    for (const sector of [...this.#dirty].sort((a, b) => a - b)) {
      if (dice.chance(survival) && sector * SECTOR < size) this.#durable.putSector(sector, this.#current.sector(sector))
    }
    this.#durable.resize(size)
    this.#dirty = new Set()
    this.#current.resize(0)
    this.#current.put(0, this.platter())
  }

  /** Flips one bit of the byte at `position`. */
  rot(position: number, bit: number): void {
    for (const image of [this.#current, this.#durable]) if (position < image.size) image.bytes[position]! ^= 1 << bit
  }
}
