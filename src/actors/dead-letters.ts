/** Messages that reached nobody, counted by reason: the first place to look when something seems lost. */
export const DEAD_LETTER_REASONS = [
  'no-actor',
  'mailbox-full',
  'too-large',
  'past-life',
  'copy',
  'unknown-peer',
  'bad-frame',
  'bad-envelope',
  'incomplete',
  'not-admitted',
  'disconnected',
  'late-reply',
] as const
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number]

export class DeadLetters {
  readonly counts: Record<string, number> = Object.fromEntries(DEAD_LETTER_REASONS.map((reason) => [reason, 0]))

  count(reason: DeadLetterReason, by = 1): void {
    this.counts[reason] = (this.counts[reason] ?? 0) + by
  }
}
