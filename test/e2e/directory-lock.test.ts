/** Processes that want one data directory at the same moment. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** No process has this id: Linux and macOS stay below 2^22. */
const NOBODY = 4_194_999

const CHILD = `
  const { lockDirectory } = await import(process.argv[2])
  process.on('message', async () => {
    const held = await lockDirectory(process.argv[3]).then(() => true, () => false)
    process.send(held)
  })
  process.send('ready')
`

test('of processes that find a dead one’s lock at the same moment, no two take it', async () => {
  const root = await mkdtemp(join(tmpdir(), 'tricord-lock-'))
  const script = join(root, 'child.mjs')
  await writeFile(script, CHILD)
  const directory = await mkdtemp(join(root, 'data-'))
  const source = new URL('../../dist/src/io/directory-lock.js', import.meta.url).href
  const children = Array.from({ length: 4 }, () => fork(script, [source, directory]))
  try {
    await Promise.all(children.map((child) => once(child, 'message')))
    for (let round = 0; round < 20; round++) {
      for (const name of await readdir(directory)) await rm(join(directory, name))
      await writeFile(join(directory, `LOCK.${NOBODY}.`), '')
      const answers = children.map(async (child) => (await once(child, 'message'))[0] as boolean)
      for (const child of children) child.send('go')
      expect((await Promise.all(answers)).filter(Boolean).length).toBeLessThanOrEqual(1)
    }
  } finally {
    for (const child of children) child.kill()
    await rm(root, { recursive: true })
  }
})
