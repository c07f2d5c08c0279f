/**
 * Damage that an engine notices by itself: a checksum that is wrong, a file that is missing or too short. Engines have one
 * code for it and words for the rest; a lock that is held and a disk that fails are something else.
 */

/** What the store holds cannot be read, now or ever. It may be set aside, and begun anew (`Storage.setAside`). */
export class KvDamagedError extends Error {
  override readonly name = 'KvDamagedError'
}

/** Of files that are gone or end too early LevelDB speaks as of any failed call. */
const FILE_DAMAGE = /no such file or directory|invalid argument/i

/** The words of the damage, or null where it is none. */
export function damageOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null
  const code = 'code' in error ? error.code : ''
  const isDamage = code === 'LEVEL_CORRUPTION' || (code === 'LEVEL_IO_ERROR' && FILE_DAMAGE.test(error.message))
  return isDamage ? error.message : damageOf(error.cause)
}
