/** A configuration is several commands: what is said where the last of them is refused. */
import { expect, test } from 'vitest'
import { TricordError } from '../../base/errors.ts'
import type { Proposer } from '../../raft/proposer.ts'
import { decodeCommand } from '../machine/decode.ts'
import { configured, limited } from '../machine/replies.ts'
import { DEFAULT_CONFIG } from '../types.ts'
import { Answers, type AnswersDeps } from './answers.ts'
import { Writes } from './writes.ts'

/** Takes the configuration, and nothing that follows. */
function answersThatBreakOff(): Answers {
  const proposer: Pick<Proposer, 'submit'> = {
    submit(_group, bytes, _options, done) {
      const { type } = decodeCommand(bytes)
      queueMicrotask(() => {
        if (type === 'cache_configure') done({ ok: true, reply: configured(7, true, { ...DEFAULT_CONFIG, levels: ['/'] }) })
        else if (type === 'cache_limits') done({ ok: true, reply: limited() })
        else done({ ok: false, error: new TricordError('NO_QUORUM', 'no leader') })
      })
      return { cancel: () => {} }
    },
  }
  return new Answers({
    writes: new Writes(proposer as Proposer, { partitions: 4, hash: () => 0 }),
    operations: { config: () => Promise.resolve([DEFAULT_CONFIG, 0]) },
    system: { clock: {}, registerHandler: () => {} },
    host: { onChange: () => {} },
    coherence: {},
    inspector: {},
    directory: {},
  } as unknown as AnswersDeps)
}

test.each([undefined, { key: 'k', fingerprint: 'f' }])(
  'levels that are configured, and do not come to empty the cache: it may have been done (key: %j)',
  async (idempotencyKey) => {
    const options = { timeoutMs: 10, ...(idempotencyKey && { idempotencyKey }) }
    const call = ['configure', { namespace: 'default', cache: 'c' }, { levels: ['/'] }, options]
    await expect(answersThatBreakOff().answer(call as never)).rejects.toMatchObject({ code: 'NO_QUORUM', outcome: 'unknown' })
  },
)
