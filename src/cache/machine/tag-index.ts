/**
 * Which entries carry which version of a tag or level, so that a sweep finds what an invalidation killed without looking at
 * anything else. The texts of the lines are here once, whoever carries them.
 *
 *   line ─▶ version ─▶ group: its entries, in the order of their changes
 */
import type { LineId } from '../coherence/protocol.ts'
import type { LineVersion } from './commands.ts'
import type { Entry } from './entry.ts'

export interface TagGroup {
  readonly line: LineId
  readonly version: number
  /** In the order of their changes: an entry that changes is taken out and put in again. */
  readonly entries: Set<Entry>
}

export const NO_GROUPS: readonly TagGroup[] = []

/** Of a line and its version beside the text, where one entry carries it. Measured with one version of each line: 400 to 440. */
export const GROUP_BYTES = 432

export class TagIndex {
  readonly #byLine = new Map<LineId, Map<number, TagGroup>>()
  /** What the groups take in memory. */
  bytes = 0

  /** The entry carries these from now on. */
  link(entry: Entry, tags: readonly LineVersion[]): void {
    if (tags.length === 0) return
    entry.tags = tags.map(([line, version]) => {
      const group = this.#group(line, version)
      group.entries.add(entry)
      return group
    })
  }

  unlink(entry: Entry): void {
    if (entry.tags.length === 0) return
    for (const group of entry.tags) {
      group.entries.delete(entry)
      if (group.entries.size > 0) continue
      this.bytes -= GROUP_BYTES + group.line.length
      const versions = this.#byLine.get(group.line)
      versions?.delete(group.version)
      if (versions?.size === 0) this.#byLine.delete(group.line)
    }
    entry.tags = NO_GROUPS
  }

  /** Entries that carry an older version of the line than `below`, the oldest versions of the line first. */
  *olderThan(line: LineId, below: number): Generator<Entry> {
    const versions = [...(this.#byLine.get(line)?.values() ?? [])].filter((group) => group.version < below)
    versions.sort((a, b) => a.version - b.version)
    for (const group of versions) yield* group.entries
  }

  get size(): number {
    return this.#byLine.size
  }

  #group(line: LineId, version: number): TagGroup {
    let versions = this.#byLine.get(line)
    if (versions === undefined) {
      versions = new Map()
      this.#byLine.set(line, versions)
    }
    let group = versions.get(version)
    if (group === undefined) {
      // The text that is there already, not the one that came with this command.
      const text = versions.values().next().value?.line ?? line
      group = { line: text, version, entries: new Set() }
      versions.set(version, group)
      this.bytes += GROUP_BYTES + line.length
    }
    return group
  }
}
