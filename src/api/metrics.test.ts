import { expect, test } from 'vitest'
import { GatewayMetrics } from './metrics.ts'

const stats = () => ({
  envelopesIn: 5,
  envelopesOut: 0,
  framesIn: 0,
  framesOut: 0,
  deadLetters: { 'mailbox-full': 7 },
  mailboxes: { proposer: 3 },
})

test('a gateway with an actor system of its own tells of it, under names that the node does not use', async () => {
  const text = await new GatewayMetrics('n1', stats).text()
  expect(text).toContain('tricord_gateway_mailbox_length{actor="proposer",node="n1"} 3')
  expect(text).toContain('tricord_gateway_dead_letters_total{reason="mailbox-full",node="n1"} 7')
  expect(text).toContain('tricord_gateway_envelopes_total{direction="in",node="n1"} 5')
  expect(await new GatewayMetrics('n1', null).text()).not.toContain('tricord_gateway')
})
