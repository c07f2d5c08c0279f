/** xxHash32 by WebAssembly: the one hash that places things. Equal on every machine, so the ring is too. */
import xxhash from 'xxhash-wasm'

/** An unsigned 32-bit hash of the text's UTF-8. */
export type Hash = (text: string) => number

/** The module is compiled once; await this at start. */
export async function loadHash(): Promise<Hash> {
  const { h32 } = await xxhash()
  return (text) => h32(text)
}
