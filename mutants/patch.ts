/** Finding the mutants, and applying one to a copy of the tree. */
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { Mutant } from './mutant.ts'

const HERE = dirname(fileURLToPath(import.meta.url))
export const ROOT = dirname(HERE)
/** What tests need of the tree. */
const COPIED = ['src', 'test', 'mutants', 'config', 'package.json', 'tsconfig.json', 'vitest.config.ts']

/** All of them, by number: the files `NN-name.ts` beside this one. */
export async function mutants(): Promise<readonly Mutant[]> {
  const files = readdirSync(HERE)
    .filter((file) => /^\d+-.*\.ts$/.test(file))
    .sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10))
  const modules = await Promise.all(files.map((file) => import(pathToFileURL(join(HERE, file)).href) as Promise<{ mutant: Mutant }>))
  return modules.map(({ mutant }) => mutant)
}

/** How often the text to be replaced occurs: anything but 1 means that the mutant has to follow the code. */
export function occurrences({ file, find }: Mutant): number {
  return readFileSync(join(ROOT, file), 'utf8').split(find).length - 1
}

/** The tree with the mutant in it, in a directory of its own. */
export function plant({ file, find, replace }: Mutant): { readonly directory: string; remove(): void } {
  const directory = mkdtempSync(join(tmpdir(), 'tricord-mutant-'))
  for (const path of COPIED) cpSync(join(ROOT, path), join(directory, path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'))
  const source = readFileSync(join(directory, file), 'utf8')
  writeFileSync(
    join(directory, file),
    source.replace(find, () => replace),
  )
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}
