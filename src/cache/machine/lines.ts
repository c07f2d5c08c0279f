/**
 * Lines that are no entries: tags and levels, which have a version and nothing else, and the configurations of caches.
 *
 * Whoever invalidates a line sweeps what carries it, on all partitions, and says so then. Until that is heard the line is unswept, and
 * the home does it where nobody else does (`node/home-sweeps.ts`). A line is unswept once, however often it was invalidated since.
 */
import type { Plain } from '../../actors/envelope.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import { configLine } from '../line-id.ts'
import { type BumpCommand, type ConfigureCommand, MACHINE_LIMITS, type SweptCommand } from './commands.ts'
import { mergeConfig } from './config.ts'
import { ConfigLine, Marker } from './marks.ts'
import { tooMany } from './quotas.ts'
import { bumped, configured, noted, refused } from './replies.ts'
import type { CacheTable } from './table.ts'

/** All of them, or none. */
export function bump(table: CacheTable, { lines }: BumpCommand): Plain {
  const fresh = new Set(lines.filter((line) => !table.markers.has(line)))
  if (table.markers.size + fresh.size > MACHINE_LIMITS.markersMax) return refused(tooMany('markers'))
  return bumped(lines.map((line) => bumpOne(table, line)))
}

function bumpOne(table: CacheTable, line: string): number {
  const marker = table.markers.get(line) ?? new Marker(line)
  const previous = marker.held()
  table.markers.set(line, marker)
  marker.version = table.nextVersion()
  if (marker.unsweptSince === 0) marker.unsweptSince = marker.version
  table.unswept.set(line, marker)
  table.changes.touched(marker)
  return table.note(line, marker.version, 'invalidate', previous)
}

export function markSwept(table: CacheTable, { lines }: SweptCommand): Plain {
  for (const [line, below] of lines) {
    const marker = table.unswept.get(line)
    if (marker === undefined || below < marker.unsweptSince) continue
    // It was invalidated again since: which was the first of these is not known, but it came after this one.
    marker.unsweptSince = below < marker.version ? below : 0
    if (marker.unsweptSince === 0) table.unswept.delete(line)
    table.changes.touched(marker)
    table.observer?.swept(line)
  }
  return noted()
}

export function configure(table: CacheTable, command: ConfigureCommand): Plain {
  const line = configLine(command.namespace, command.cache)
  const there = table.configs.get(line)
  if (there === undefined && table.configs.size >= MACHINE_LIMITS.configsMax) return refused(tooMany('configs'))
  const config = mergeConfig(there?.config ?? null, command.config)
  const previous = there?.held() ?? NOTHING_HELD
  const made = there ?? new ConfigLine(line, config)
  made.config = config
  table.configs.set(line, made)
  made.version = table.nextVersion()
  table.changes.touched(made)
  table.note(line, made.version, 'put', previous)
  return configured(made.version, there === undefined, config)
}
