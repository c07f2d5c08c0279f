/**
 * Doors behind which nobody is: nothing is there, nothing is owned, what is said is not heard and what is asked for does not come.
 * Who plays a part of the world has to say that part alone: `{ ...SILENT_HOME, send: … }`.
 */
import type { ControllerPort } from '../controller-port.ts'
import { NOTHING_HELD } from '../held.ts'
import type { HomePort } from '../home.ts'

export const SILENT_HOME: HomePort = {
  send() {},
  read: () => NOTHING_HELD,
  hold() {},
  unhold() {},
  owned: () => 0,
  eachOwned: () => [].values(),
  own() {},
  release() {},
  confirm() {},
  settled() {},
  opened() {},
}

export const SILENT_NODE: ControllerPort = { send() {}, answer() {}, failed() {}, flush() {}, release() {}, lost() {}, callBack() {} }
