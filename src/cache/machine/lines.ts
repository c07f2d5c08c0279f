/** Lines that are no entries: tags and levels, whose version is all they have, and the configurations of caches. */
import type { Plain } from '../../actors/envelope.ts'
import { NOTHING_HELD } from '../coherence/held.ts'
import { configLine } from '../line-id.ts'
import { type BumpCommand, type ConfigureCommand, MACHINE_LIMITS } from './commands.ts'
import { mergeConfig } from './config.ts'
import { ConfigLine, Marker } from './marks.ts'
import { tooMany } from './quotas.ts'
import { bumped, configured, refused } from './replies.ts'
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
  table.changes.touched(marker)
  return table.note(line, marker.version, 'invalidate', previous)
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
