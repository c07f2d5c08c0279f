/** Want of space, as engines tell it: in words alone. */

export function isDiskFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i.test(error.message) || isDiskFull(error.cause)
}
