/** How many records to read at once: records of a group may have a few bytes each, or a mebibyte. Pure. */

/** As many as fill `bytesMax` if they are like those `seen`; one before anything was. At most `pairsMax`. */
export function pageSize(seen: { readonly pairs: number; readonly bytes: number }, pairsMax: number, bytesMax: number): number {
  return Math.max(1, Math.min(pairsMax, Math.floor((bytesMax * seen.pairs) / Math.max(1, seen.bytes))))
}
