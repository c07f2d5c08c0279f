/**
 * What the configuration of a queue may be, setting by setting, as one may know it who alone changes it:
 *
 *   ── set ──asked──> set + new ──answered──> new + ghosts          unknown: the new value is a ghost, which may come at any time
 *
 * Whatever a queue shows, or is decided by, at some time has to be in the sets of that time.
 */
import type { PutQueueCommand, QueueConfig } from '../queue/types.ts'
import { SimFailure } from './world.ts'

export type Setting = Exclude<keyof QueueConfig, 'backoff' | 'deadLetter'>
type Value = QueueConfig[Setting]
type Change = PutQueueCommand['config']

interface Known {
  readonly ghosts: Set<Value>
  /** The last is that of now. */
  readonly sets: { readonly from: number; readonly values: ReadonlySet<Value> }[]
}

export class KnownConfigs {
  readonly #queues = new Map<string, Map<Setting, Known>>()

  began(queue: string, config: QueueConfig, now: number): void {
    const settings = entriesOf(config).map(([setting, value]): [Setting, Known] => [
      setting,
      { ghosts: new Set(), sets: [{ from: now, values: new Set([value]) }] },
    ])
    this.#queues.set(queue, new Map(settings))
  }

  asked(queue: string, change: Change, now: number): void {
    for (const [setting, value] of entriesOf(change)) {
      const { sets } = this.#of(queue, setting)
      sets.push({ from: now, values: new Set([...(sets.at(-1)?.values ?? []), value]) })
    }
  }

  /** `config`: as it was answered; null: nobody knows. */
  answered(queue: string, change: Change, config: QueueConfig | null, askedAt: number, now: number): void {
    for (const [setting, value] of entriesOf(change)) {
      const { ghosts, sets } = this.#of(queue, setting)
      if (config === null) ghosts.add(value)
      else sets.push({ from: now, values: new Set([...ghosts, value]) })
      if (config !== null && config[setting] !== value) fail(queue, setting, config[setting], [value])
    }
    if (config !== null) this.shown(queue, config, askedAt)
  }

  /** This was the configuration at some time between `since` and now. */
  shown(queue: string, config: QueueConfig, since: number): void {
    for (const [setting, value] of entriesOf(config)) {
      const may = this.during(queue, setting, since)
      if (!may.has(value)) fail(queue, setting, value, [...may])
    }
  }

  /** What it may have been at any time from `since` until now. */
  during<S extends Setting>(queue: string, setting: S, since: number): ReadonlySet<QueueConfig[S]> {
    const { sets } = this.#of(queue, setting)
    const first = Math.max(
      0,
      sets.findLastIndex(({ from }) => from <= since),
    )
    return new Set(sets.slice(first).flatMap(({ values }) => [...values])) as unknown as ReadonlySet<QueueConfig[S]>
  }

  #of(queue: string, setting: Setting): Known {
    const known = this.#queues.get(queue)?.get(setting)
    if (known === undefined) throw new Error(`nothing is known of ${queue}`)
    return known
  }
}

function entriesOf(config: Change): [Setting, Value][] {
  const { backoff: _, deadLetter: __, ...settings } = config
  return Object.entries(settings) as [Setting, Value][]
}

function fail(queue: string, setting: Setting, value: Value, may: readonly Value[]): never {
  throw new SimFailure(`queues: ${setting} of ${queue} is ${value}, and may be ${may.join()}`)
}
