/** Keys of records: a byte for the kind, then numbers of 8 bytes, big-endian, so that the store's order is that of the numbers. */

export function numberKey(kind: number, number: number): Uint8Array {
  const key = new Uint8Array(9)
  key[0] = kind
  put(key, 1, number)
  return key
}

export function pairKey(kind: number, first: number, second: number): Uint8Array {
  const key = new Uint8Array(17)
  key[0] = kind
  put(key, 1, first)
  put(key, 9, second)
  return key
}

export function tripleKey(kind: number, first: number, second: number, third: number): Uint8Array {
  const key = new Uint8Array(25)
  key[0] = kind
  put(key, 1, first)
  put(key, 9, second)
  put(key, 17, third)
  return key
}

/** The nth number of a key. */
export function numberAt(key: Uint8Array, nth: number): number {
  const from = 1 + nth * 8
  let number = 0
  for (let at = from; at < from + 8; at++) number = number * 256 + (key[at] as number)
  return number
}

function put(key: Uint8Array, from: number, number: number): void {
  let high = Math.floor(number / 0x100000000)
  let low = number >>> 0
  for (let at = from + 7; at > from + 3; at--, low >>>= 8) key[at] = low
  for (let at = from + 3; at >= from; at--, high >>>= 8) key[at] = high
}
