/** What every configuration begins with, and running one. Loaded anew for each mutant, from the changed sources. */
import type { Result } from './explore.ts'
import { explore } from './explore.ts'
import type { Rules, Settings } from './settings.ts'
import { ALL_RULES } from './settings.ts'
import { LendingModel } from './lending-world.ts'
import { Model } from './world.ts'

export const PLAIN: Settings = {
  name: '',
  nodes: 2,
  terms: 1,
  loads: 2,
  writes: 1,
  logged: Infinity,
  looks: 0,
  time: 0,
  lease: 2,
  tries: 1,
  grants: 5,
  evictions: false,
  crashes: 0,
  leaves: false,
  givesUp: false,
  preparing: false,
  sessions: true,
  forgetful: true,
  lagging: false,
  begin: [],
  owners: false,
  lends: false,
  releases: false,
  lossy: false,
  deposed: false,
}

export function run(settings: Partial<Settings>, rules: Partial<Rules>, statesMax: number, trails = false): Result {
  return explore(createModel(settings, rules), statesMax, trails)
}

function createModel(settings: Partial<Settings>, rules: Partial<Rules>): Model {
  const [all, kept] = [
    { ...PLAIN, ...settings },
    { ...ALL_RULES, ...rules },
  ]
  return all.lends ? new LendingModel(all, kept) : new Model(all, kept)
}
