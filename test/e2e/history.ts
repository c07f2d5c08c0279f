/**
 * What clients of one lock saw, and whether it can have been: every grant's token is above those of all grants that were
 * let go before it was asked for, and no two grants are held at the same time. Times are of the test's own monotonic clock,
 * taken on the safe side: a grant is held from its answer until its release is *sent*.
 */
export interface Hold {
  readonly name: string
  readonly token: number
  readonly client: string
  /** When the acquire was sent, when its answer came, when the release was sent (Infinity: never). */
  readonly askedAt: number
  readonly heldFrom: number
  releasedAt: number
}

export class History {
  readonly holds: Hold[] = []

  /** One line per violation; empty for a history that can have been. */
  violations(): string[] {
    const found: string[] = []
    for (const name of new Set(this.holds.map((hold) => hold.name))) {
      const byToken = this.holds.filter((hold) => hold.name === name).sort((a, b) => a.token - b.token)
      for (const [at, hold] of byToken.entries()) {
        const next = byToken[at + 1]
        if (!next) continue
        if (next.token === hold.token) found.push(`${name}: token ${hold.token} was given to ${hold.client} and to ${next.client}`)
        if (hold.releasedAt > next.heldFrom)
          found.push(`${name}: ${next.client} (token ${next.token}) was granted while ${hold.client} (token ${hold.token}) held it`)
      }
      for (const earlier of byToken) {
        for (const later of byToken) {
          if (later.askedAt > earlier.heldFrom && later.token < earlier.token)
            found.push(`${name}: token ${later.token} after ${earlier.token}`)
        }
      }
    }
    return found
  }
}
