/** xxHash32 by WebAssembly: the one hash that places things. Equal on every machine, so the ring is too. */
import xxhash from 'xxhash-wasm'
import type { Hash } from '../base/hash.ts'

/** The module is compiled once; await this at start. */
export async function loadHash(): Promise<Hash> {
  const api = await xxhash()
  return (text) => api.h32(text)
}
