/** What a secret that follows from a key depends on. */
import { expect, test } from 'vitest'
import { proofOf, secretIn, readToken, secretOfKey } from './session-token.ts'

test('a secret of a key: the same on every node of a cluster; another in another cluster, namespace or under another key', () => {
  const secret = secretOfKey('of the cluster', 'default', 'order-1')
  expect(secretOfKey('of the cluster', 'default', 'order-1')).toEqual(secret)
  const others = [
    secretOfKey('of another', 'default', 'order-1'),
    secretOfKey('of the cluster', 'n', 'order-1'),
    secretOfKey('of the cluster', 'default', 'order-2'),
  ]
  for (const other of others) expect(other.text).not.toBe(secret.text)
  expect(readToken(`s_1.${secret.text}`)).toEqual({ id: 's_1', proof: secret.proof })
  expect([secretIn(`s_1.${secret.text}`), proofOf(secret.text)]).toEqual([secret.text, secret.proof])
})
