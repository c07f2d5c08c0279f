/**
 * `replicas.json`: the highest life of each group that was ever begun on this disk, written durably *before* the replica
 * is. So a replica that the table gives to this node and that is not here is either new (its life was never begun) or lost
 * (it was), and a lost one never comes back under its old number, under which it may have voted.
 */
import type { GroupId } from '../base/ids.ts'
import type { Storage } from '../io/storage.ts'
import { IdentityError } from './identity.ts'
import type { LifeRow } from './meta-machine-commands.ts'

const FILE = 'replicas.json'
const NEVER = -1

export class ReplicaLedger {
  readonly #storage: Storage
  readonly #lives: Map<GroupId, number>

  private constructor(storage: Storage, lives: Map<GroupId, number>) {
    this.#storage = storage
    this.#lives = lives
  }

  /** `founding`: the groups whose first life this disk holds since the cluster was founded. */
  static async open(storage: Storage, founding: readonly GroupId[]): Promise<ReplicaLedger> {
    const lives = new Map<GroupId, number>(founding.map((group) => [group, 0]))
    for (const [group, life] of await read(storage)) lives.set(group, Math.max(life, lives.get(group) ?? NEVER))
    return new ReplicaLedger(storage, lives)
  }

  /** -1: none. */
  begun(group: GroupId): number {
    return this.#lives.get(group) ?? NEVER
  }

  /** Resolves once it is durable that these lives have begun. One call at a time. */
  async begin(rows: readonly LifeRow[]): Promise<void> {
    const next = new Map(this.#lives)
    for (const [group, life] of rows) next.set(group, Math.max(life, this.begun(group)))
    await this.#storage.replace(FILE, new TextEncoder().encode(`${JSON.stringify([...next])}\n`))
    for (const [group, life] of next) this.#lives.set(group, life)
  }
}

async function read(storage: Storage): Promise<readonly LifeRow[]> {
  const bytes = await storage.readFile(FILE)
  if (!bytes) return []
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (Array.isArray(parsed) && parsed.every(isRow)) return parsed
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
  }
  throw new IdentityError(
    `${FILE} is damaged, so nobody knows which replicas this disk has had: restore it, or empty the directory, remove this node ` +
      '(tricord members remove) and start it with --join; the others go on meanwhile',
  )
}

function isRow(row: unknown): row is LifeRow {
  return Array.isArray(row) && row.length === 2 && row.every((value) => Number.isSafeInteger(value) && value >= 0)
}
