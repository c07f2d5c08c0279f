/** How much room a disk has, as far as what is written to it goes. */

/** Of the disk: `low` is below the mark, `full` means that the log could not be written. */
export type DiskRoom = 'enough' | 'low' | 'full'

/** The best first. They travel by their place here. */
export const DISK_ROOMS: readonly DiskRoom[] = ['enough', 'low', 'full']

/** True: `a` has more room than `b`. */
export function hasMoreRoom(a: DiskRoom, b: DiskRoom): boolean {
  return DISK_ROOMS.indexOf(a) < DISK_ROOMS.indexOf(b)
}
