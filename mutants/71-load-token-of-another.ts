/** A load token counts though another was given since: what was loaded before an invalidation takes the place of what came after. */
import { type Mutant, namedTest } from './mutant.ts'

export const mutant: Mutant = {
  name: 'load-token-of-another',
  pitfall: 0,
  harm: 'A load token counts though another was given since: what was loaded before an invalidation takes the place of what came after.',
  file: 'src/cache/machine/load.ts',
  find: 'if (load !== undefined && load.token === command.loadToken) return load',
  replace: 'if (load !== undefined) return load',
  killedBy: namedTest('src/cache/machine/load.test.ts', 'who waits too long is told so; when the lease is over the next in line loads'),
}
