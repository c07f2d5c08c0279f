/** The small lines and records of a partition: markers of tags and levels, configurations, who may hold copies. */
import type { NodeId } from '../../base/ids.ts'
import { NOTHING_HELD, nothingAt } from '../coherence/held.ts'
import type { Held, LineId } from '../coherence/protocol.ts'
import type { CacheConfig } from '../types.ts'
import { configBytes } from './config.ts'
import { CONFIG, HOLDER, MARKER } from './kinds.ts'
import { Stored } from './stored.ts'

/** A tag or level that was invalidated: its version. Never forgotten, for entries may carry an older one. */
export class Marker extends Stored {
  readonly kind = MARKER
  readonly line: LineId
  version = 0
  /** Bodies of what its invalidations killed may be left since this version of it, or a later one; 0: none are. */
  unsweptSince = 0

  constructor(line: LineId) {
    super()
    this.line = line
  }

  held(): Held {
    return nothingAt(this.version)
  }
}

/** The configuration of a cache, on the partition of its line. */
export class ConfigLine extends Stored {
  readonly kind = CONFIG
  readonly line: LineId
  version = 0
  #config: CacheConfig
  #value: Uint8Array

  constructor(line: LineId, config: CacheConfig) {
    super()
    this.line = line
    this.#config = config
    this.#value = configBytes(config)
  }

  get config(): CacheConfig {
    return this.#config
  }

  set config(config: CacheConfig) {
    this.#config = config
    this.#value = configBytes(config)
  }

  held(): Held {
    return { ...NOTHING_HELD, version: this.version, value: this.#value, contentType: 'application/json' }
  }
}

export class Holder extends Stored {
  readonly kind = HOLDER
  readonly node: NodeId

  constructor(node: NodeId) {
    super()
    this.node = node
  }
}
