/** What places things: an unsigned 32-bit hash of the text's UTF-8, equal on every machine. `io/hash.ts` has the real one. */
export type Hash = (text: string) => number
