/** What follows the last record of a state is done turn by turn, and not to its end where nobody wants it any more. */
import { expect, test } from 'vitest'
import { ToyMachine } from '../../../test/toy-machine.ts'
import { createMemoryKv } from '../../io/kv/memory.ts'
import type { KvOp } from '../../io/kv/kv.ts'
import { Applier } from './applier.ts'
import { NO_COLD } from './cold-digest.ts'
import { RecordDigest } from './digest.ts'
import { RequestTable } from './requests.ts'
import { StateStore, loadState } from './state-store.ts'

const NOBODY = { voters: [], outgoing: [], learners: [], learnersNext: [] }
const START = { index: 5, term: 1, time: 0 }

async function stored() {
  const kv = createMemoryKv()
  const ops: KvOp[] = []
  const header = { ...START, ordinal: 0, membership: NOBODY, count: 0, sum: 0, cold: NO_COLD }
  new StateStore(kv, 1, 1, header, new RecordDigest()).drain(new Applier(new ToyMachine(), new RequestTable(), START), NOBODY, ops)
  await kv.batch(ops, { sync: true })
  return kv
}

class SlowMachine extends ToyMachine {
  readonly did: string[] = []
  left = 3

  prepare(): boolean {
    this.did.push('prepare')
    this.left -= 1
    return this.left === 0
  }

  override loaded(): void {
    this.did.push('loaded')
  }
}

test('a machine with much to do at the end of a load does it part by part', async () => {
  const machine = new SlowMachine()
  expect(await loadState(await stored(), 1, 1, machine)).toMatchObject({ header: { index: 5 } })
  expect(machine.did).toEqual(['prepare', 'prepare', 'prepare', 'loaded'])
})

test('and stops in the middle of it where the state is not wanted any more', async () => {
  const machine = new SlowMachine()
  const loaded = await loadState(await stored(), 1, 1, machine, () => machine.left === 3)
  expect(loaded).toBe('it is not wanted any more')
  expect(machine.did).toEqual(['prepare'])
})
